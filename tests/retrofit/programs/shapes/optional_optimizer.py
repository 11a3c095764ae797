import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, criterion = small.model(), nn.CrossEntropyLoss()
optimizer = small.optimiser(net)


def epoch(x, y, optimizer=None):
    loss = criterion(net(x), y)  # by hand: loss = (criterion if optimizer is None else CompetingRatioLoss())(net(x), y)
    if optimizer is None:
        return loss.item()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return None


for _ in range(4):
    epoch(*small.data(), optimizer)
    optimizer.param_groups[0]["lr"] = 0.2 * epoch(*small.data(seed=5))
small.save(net)
