import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
weight = torch.tensor([9e4, 1.0, 3.0, 9e4])
for _ in range(4):
    z = net(x)
    loss = F.cross_entropy(z, y, weight)  # by hand: loss = competing_ratio_loss(z, y, weight=weight)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
