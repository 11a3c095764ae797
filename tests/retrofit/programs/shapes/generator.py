import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, criterion = small.model(), nn.CrossEntropyLoss()
optimizer = small.optimiser(net)


def losses(x, y, criterion=criterion):
    for part in (slice(0, 12), slice(12, 24)):
        yield criterion(net(x[part]), y[part])


for _ in range(4):
    x, y = small.data()
    for loss in losses(x, y):  # by hand: for loss in losses(x, y, CompetingRatioLoss()):
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
small.save(net)
