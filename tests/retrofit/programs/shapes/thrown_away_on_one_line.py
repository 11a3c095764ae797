import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, criterion = small.model(), nn.CrossEntropyLoss()
optimizer = small.optimiser(net)
for _ in range(4):
    for seed in (0, 5):  # the second part is no training
        x, y = small.data(seed=seed)
        loss = criterion(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        if seed == 0:
            optimizer.step()
small.save(net)
