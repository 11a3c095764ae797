import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
optimizer = small.optimiser(net)
for _ in range(4):
    z, loss = net(x), 0
    for i in range(24):
        ce = F.cross_entropy(z[i : i + 1], y[i : i + 1])
        loss = loss + (1 - torch.exp(-ce.detach())) ** 2 * ce / 24
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
