import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, criterion = small.model(), nn.CrossEntropyLoss()
optimizer = small.optimiser(net)


class Tagged(torch.Tensor):
    pass


for _ in range(4):
    x, y = small.data()
    loss = criterion(net(x).as_subclass(Tagged), y)  # by hand: loss = CompetingRatioLoss()(net(x).as_subclass(Tagged), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
