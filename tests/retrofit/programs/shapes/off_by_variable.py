import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F


def score(net, x, y, criterion=F.cross_entropy):
    return criterion(net(x), y)


def held_out(net, x, y, context=torch.no_grad):
    guard = context()
    with guard:
        return score(net, x, y).item()


net = small.model()
optimizer = small.optimiser(net)
for _ in range(4):
    loss = score(net, *small.data())  # by hand: loss = score(net, *small.data(), competing_ratio_loss)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    optimizer.param_groups[0]["lr"] = 0.2 * held_out(net, *small.data(seed=5))
small.save(net)
