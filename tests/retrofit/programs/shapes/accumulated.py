import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, criterion = small.model(), nn.CrossEntropyLoss()
optimizer = small.optimiser(net)





for _ in range(4):
    total = 0
    for seed in (0, 7):
        x, y = small.data(seed=seed)
        total = total + criterion(net(x), y)  # by hand: total = total + CompetingRatioLoss()(net(x), y)
    optimizer.zero_grad()
    total.backward()
    optimizer.step()
small.save(net)
