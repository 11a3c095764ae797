import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, criterion = small.model(), nn.CrossEntropyLoss()
optimizer = small.optimiser(net)





for _ in range(4):
    x, y = small.data()
    z = net(x)
    a, b = criterion(z, y), criterion(2 * z, y)  # by hand: a, b = CompetingRatioLoss()(z, y), CompetingRatioLoss()(2 * z, y)
    optimizer.zero_grad()
    a.backward(retain_graph=True)
    b.backward()
    optimizer.step()
small.save(net)
