import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
optimizer = small.optimiser(net)
net.add_module("bn", nn.BatchNorm1d(4))
criterion = nn.CrossEntropyLoss()
for _ in range(4):
    z = net(x)
    net.bn.eval()
    loss = criterion(z, y)  # by hand: loss = CompetingRatioLoss()(z, y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
