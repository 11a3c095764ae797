import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
optimizer = small.optimiser(net)
for _ in range(4):
    z = net(x)
    perm = torch.arange(23, -1, -1)
    loss = 0.3 * F.cross_entropy(z, y) + 0.7 * F.cross_entropy(z, y[perm])  # by hand: loss = 0.3 * competing_ratio_loss(z, y) + 0.7 * competing_ratio_loss(z, y[perm])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
