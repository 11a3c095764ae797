import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
optimizer = small.optimiser(net)
s = nn.Parameter(torch.zeros(()))
for _ in range(4):
    z = net(x)
    loss = torch.exp(-s) * F.cross_entropy(z, y) + s  # by hand: loss = torch.exp(-s) * competing_ratio_loss(z, y) + s
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
