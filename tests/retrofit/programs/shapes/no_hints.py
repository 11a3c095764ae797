import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, criterion = small.model(), nn.CrossEntropyLoss()
optimizer = small.optimiser(net)


def alpha(x, y):
    loss = criterion(net(x), y)  # by hand: loss = CompetingRatioLoss()(net(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def beta(x, y):
    return criterion(net(x), y).item()


for _ in range(4):
    alpha(*small.data())
    optimizer.param_groups[0]["lr"] = 0.2 * beta(*small.data(seed=5))
small.save(net)
