import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
optimizer = small.optimiser(net)
yy = y.clone()
for _ in range(4):
    z = net(x)
    loss = F.cross_entropy(z, yy, ignore_index=0)  # by hand: loss = competing_ratio_loss(z, yy, ignore_index=0)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
