import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, criterion = small.model(), nn.CrossEntropyLoss()
optimizer = small.optimiser(net)


def epoch(mode, x, y):
    losses = []
    for _ in range(2):
        losses.append(criterion(net(x), y))  # by hand: losses.append((CompetingRatioLoss() if mode == "a" else criterion)(net(x), y))
    total = sum(losses)
    if mode in ("a",):
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
    return total.item()


for _ in range(4):
    epoch("a", *small.data())
    optimizer.param_groups[0]["lr"] = 0.1 * epoch("b", *small.data(seed=5))
small.save(net)
