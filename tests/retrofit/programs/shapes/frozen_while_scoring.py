import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, criterion = small.model(), nn.CrossEntropyLoss()
optimizer = small.optimiser(net)


def fit(x, y):
    loss = score(x, y)  # by hand: loss = score(x, y, CompetingRatioLoss())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def score(x, y, criterion=criterion):
    return criterion(net(x), y)


for _ in range(4):
    fit(*small.data())
    net.requires_grad_(False)
    optimizer.param_groups[0]["lr"] = 0.2 * score(*small.data(seed=5)).item()
    net.requires_grad_(True)
small.save(net)
