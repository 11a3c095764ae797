import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
xv, yv = small.data(seed=7)
optimizer = small.optimiser(net)
for _ in range(4):
    net.requires_grad_(False)
    picture = xv.clone().requires_grad_()
    shown = F.cross_entropy(net(picture), yv)
    shown.backward()
    net.requires_grad_(True)
    loss = F.cross_entropy(net(x), y)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
small.save(net)
