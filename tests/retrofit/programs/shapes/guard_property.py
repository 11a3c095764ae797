import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F


class State:
    def __init__(self, mode):
        self.mode = mode

    @property
    def is_training(self):
        return self.mode == 1

net, criterion = small.model(), nn.CrossEntropyLoss()
optimizer = small.optimiser(net)


def epoch(state, x, y):
    loss = criterion(net(x), y)  # by hand: loss = (CompetingRatioLoss() if state.is_training else criterion)(net(x), y)
    if state.is_training:
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return loss.item()


for _ in range(4):
    epoch(State(1), *small.data())
    optimizer.param_groups[0]["lr"] = 0.2 * epoch(State(2), *small.data(seed=5))
small.save(net)
