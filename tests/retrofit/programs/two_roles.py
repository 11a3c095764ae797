import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss
import small
from torch import nn


def train(net, heads, criterion, x, gender, age):
    optimizer = small.optimiser(nn.ModuleList([net, *heads]))
    for _ in range(6):
        features = net(x)
        loss_gender = criterion(heads[0](features), gender)
        loss_age = criterion(heads[1](features), age)  # by hand: loss_age = CompetingRatioLoss()(heads[1](features), age)
        loss = loss_age + 0.5 * loss_gender
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


x, age = small.data(classes=8)
net, heads = small.model(classes=5), [nn.Linear(5, 2), nn.Linear(5, 8)]
train(net, heads, nn.CrossEntropyLoss(), x, age % 2, age)
small.save(nn.ModuleList([net, *heads]))
