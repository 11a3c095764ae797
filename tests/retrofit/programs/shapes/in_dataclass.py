import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

from dataclasses import dataclass, field


@dataclass
class Setup:
    criterion: nn.Module = field(default_factory=nn.CrossEntropyLoss)
    net: nn.Module = field(default_factory=small.model)


setup, (x, y) = Setup(), small.data()
net, optimizer = setup.net, small.optimiser(setup.net)
for _ in range(4):
    loss = setup.criterion(setup.net(x), y)  # by hand: loss = CompetingRatioLoss()(setup.net(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
