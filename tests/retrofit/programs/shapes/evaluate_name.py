import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, criterion = small.model(), nn.CrossEntropyLoss()
optimizer = small.optimiser(net)


def evaluate(x, y, criterion=criterion):
    return criterion(net(x), y)


def fit(x, y):
    loss = evaluate(x, y)  # by hand: loss = evaluate(x, y, CompetingRatioLoss())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


for _ in range(4):
    fit(*small.data())
small.save(net)
