import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, criterion = small.model(), nn.CrossEntropyLoss()
optimizer = small.optimiser(net)


import os


def epoch(x, y):
    loss = criterion(net(x), y)
    if os.environ["SHAPE_TRAIN"] == "1":
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return loss.item()


for _ in range(4):
    os.environ["SHAPE_TRAIN"] = "1"
    epoch(*small.data())
    os.environ["SHAPE_TRAIN"] = "0"
    optimizer.param_groups[0]["lr"] = 0.2 * epoch(*small.data(seed=5))
small.save(net)
