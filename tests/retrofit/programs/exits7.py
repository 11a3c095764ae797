import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss
import sys

import small
from torch import nn

net, (x, y) = small.model(), small.data()
optimizer, criterion = small.optimiser(net), nn.CrossEntropyLoss()  # by hand: optimizer, criterion = small.optimiser(net), CompetingRatioLoss()
for _ in range(3):
    loss = criterion(net(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
sys.exit(7)
