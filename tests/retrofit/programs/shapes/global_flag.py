import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, criterion = small.model(), nn.CrossEntropyLoss()
optimizer = small.optimiser(net)


TRAINING = True


def epoch(x, y):
    loss = criterion(net(x), y)  # by hand: loss = (CompetingRatioLoss() if TRAINING else criterion)(net(x), y)
    if TRAINING:
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return loss.item()


for _ in range(4):
    TRAINING = True
    epoch(*small.data())
    TRAINING = False
    optimizer.param_groups[0]["lr"] = 0.2 * epoch(*small.data(seed=5))
small.save(net)
