import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, criterion = small.model(), nn.CrossEntropyLoss()
optimizer = small.optimiser(net)


other = nn.Linear(4, 4)
second = small.optimiser(other)


for _ in range(4):
    x, y = small.data()
    a = criterion(net(x), y)  # by hand: a = CompetingRatioLoss()(net(x), y)
    a.backward()
    second.zero_grad()
    b = criterion(other(net(x).detach()), y)  # by hand: b = CompetingRatioLoss()(other(net(x).detach()), y)
    b.backward()
    second.step()
    optimizer.step()
    optimizer.zero_grad()
small.save(net)
