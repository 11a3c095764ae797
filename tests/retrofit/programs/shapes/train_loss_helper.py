import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F


def train_loss(net, x, y, criterion=F.cross_entropy):
    return criterion(net(x), y)


def validate(net, x, y):
    return train_loss(net, x, y).item()


net = small.model()
optimizer = small.optimiser(net)
for _ in range(4):
    loss = train_loss(net, *small.data())  # by hand: loss = train_loss(net, *small.data(), competing_ratio_loss)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    optimizer.param_groups[0]["lr"] = 0.2 * validate(net, *small.data(seed=5))
small.save(net)
