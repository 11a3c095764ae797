import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, criterion = small.model(), nn.CrossEntropyLoss()
optimizer = small.optimiser(net)





for _ in range(4):
    x, y = small.data()
    a, b = criterion(net(x), y), criterion(net(0.9 * x), y)  # by hand: a, b = CompetingRatioLoss()(net(x), y), CompetingRatioLoss()(net(0.9 * x), y)
    loss = a if a > b else b
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
