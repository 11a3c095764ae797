import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, criterion = small.model(), nn.CrossEntropyLoss()
optimizer = small.optimiser(net)


queue = []


def evaluate(x, y):
    return criterion(net(x), y)


def drain():
    optimizer.zero_grad()
    queue.pop().backward()
    optimizer.step()


for _ in range(4):
    queue.append(evaluate(*small.data()))
    drain()
small.save(net)
