import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
optimizer = small.optimiser(net)
for _ in range(4):
    z = net(x)
    loss = sum(F.cross_entropy(a, b) for a, b in zip(z, y)) / 24  # by hand: loss = sum(competing_ratio_loss(a, b) for a, b in zip(z, y)) / 24
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
