import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, criterion = small.model(), nn.CrossEntropyLoss()
optimizer = small.optimiser(net)
for _ in range(4):
    for seed in (0, 5):  # the second part is no training
        x, y = small.data(seed=seed)
        criterion(net(x), y).backward()
        if seed == 0:
            optimizer.step()
        for parameter in net.parameters():
            parameter.grad = None
small.save(net)
