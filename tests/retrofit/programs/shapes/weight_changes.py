import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, (x, y), criterion = small.model(), small.data(), nn.CrossEntropyLoss(weight=torch.ones(4))  # by hand: net, (x, y), criterion = small.model(), small.data(), CompetingRatioLoss(weight=torch.ones(4))
optimizer = small.optimiser(net)
for i in range(4):
    criterion.weight = torch.tensor([1.0 + i, 1, 1, 1])
    loss = criterion(net(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
