import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, criterion = small.model(), nn.CrossEntropyLoss()
optimizer = small.optimiser(net)


def attack(x, y):
    x = x.clone().requires_grad_()
    criterion(net(x), y).backward()
    return x.detach() + 0.1 * x.grad.sign()


for _ in range(4):
    x, y = small.data()
    x = attack(x, y)
    loss = criterion(net(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
