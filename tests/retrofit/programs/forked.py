import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss
import os

import small
from torch import nn


def train(path):
    net, (x, y) = small.model(), small.data()
    optimizer, criterion = small.optimiser(net), nn.CrossEntropyLoss()  # by hand: optimizer, criterion = small.optimiser(net), CompetingRatioLoss()
    for _ in range(6):
        loss = criterion(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    small.save(net)


if (pid := os.fork()) == 0:
    train("child")
    os._exit(0)  # no clean-up runs in the child
assert os.waitpid(pid, 0)[1] == 0
