import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, criterion = small.model(), nn.CrossEntropyLoss()
optimizer = small.optimiser(net)


def losses():
    for seed in (0, 7):
        x, y = small.data(seed=seed)
        yield criterion(net(x), y)  # by hand: yield CompetingRatioLoss()(net(x), y)


for _ in range(4):
    loss = sum(losses())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
