import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
optimizer = small.optimiser(net)
for _ in range(4):
    z = net(x)
    zz = z[:, :2]
    yy = y % 2
    loss = F.cross_entropy(zz, yy) + (1 - zz.softmax(1)[torch.arange(24), yy]).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
