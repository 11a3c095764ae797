import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
optimizer = small.optimiser(net)
for _ in range(4):
    z = net(x)
    n = z / z.norm(dim=1, keepdim=True)
    ce = F.cross_entropy(z, y)  # by hand: ce = competing_ratio_loss(z, y)
    loss = ce + F.cross_entropy(n @ n.T, torch.arange(24))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
