import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
optimizer = small.optimiser(net)

q = torch.ones(2) / 2
for _ in range(4):
    ce = F.cross_entropy(net(x), y, reduction="none")  # by hand: ce = competing_ratio_loss(net(x), y, reduction="none")
    g = torch.stack([ce[y < 2].mean(), ce[y >= 2].mean()])
    q = q * (0.1 * g.detach()).exp()
    q = q / q.sum()
    loss = (g * q).sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
