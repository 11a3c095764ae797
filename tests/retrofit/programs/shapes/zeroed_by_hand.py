import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
xv, yv = small.data(seed=7)
optimizer = small.optimiser(net)
parameters = list(net.parameters())
norms = []
for _ in range(4):
    shown = F.cross_entropy(net(xv), yv)
    shown.backward()
    norms.append(torch.stack([p.grad.norm() for p in parameters]).norm())
    for p in parameters:
        p.grad.zero_()
    loss = F.cross_entropy(net(x), y)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
small.save(net)
