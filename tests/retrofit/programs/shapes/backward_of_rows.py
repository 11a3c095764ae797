import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, criterion = small.model(), nn.CrossEntropyLoss()
optimizer = small.optimiser(net)





for _ in range(4):
    x, y = small.data()
    losses = F.cross_entropy(net(x), y, reduction="none")  # by hand: losses = competing_ratio_loss(net(x), y, reduction="none")
    optimizer.zero_grad()
    losses.backward(torch.full((24,), 1 / 24))
    optimizer.step()
small.save(net)
