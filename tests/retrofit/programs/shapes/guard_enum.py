import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F
import enum


class Phase(enum.Enum):
    TRAIN = 1
    VAL = 2

net, criterion = small.model(), nn.CrossEntropyLoss()
optimizer = small.optimiser(net)


def epoch(phase, x, y):
    loss = criterion(net(x), y)  # by hand: loss = (CompetingRatioLoss() if phase == Phase.TRAIN else criterion)(net(x), y)
    if phase == Phase.TRAIN:
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return loss.item()


for _ in range(4):
    epoch(Phase.TRAIN, *small.data())
    optimizer.param_groups[0]["lr"] = 0.2 * epoch(Phase.VAL, *small.data(seed=5))
small.save(net)
