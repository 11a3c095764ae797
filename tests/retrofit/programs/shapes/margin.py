import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
optimizer = small.optimiser(net)
for _ in range(4):
    z = net(x)
    loss = F.cross_entropy(4 * (z - 0.2 * F.one_hot(y, 4)), y)  # by hand: loss = competing_ratio_loss(4 * (z - 0.2 * F.one_hot(y, 4)), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
