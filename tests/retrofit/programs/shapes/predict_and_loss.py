import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, criterion = small.model(), nn.CrossEntropyLoss()
optimizer = small.optimiser(net)


def predict_and_loss(x, y, criterion=criterion):
    return criterion(net(x), y)


for _ in range(4):
    x, y = small.data()
    loss = predict_and_loss(x, y)  # by hand: loss = predict_and_loss(x, y, CompetingRatioLoss())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
