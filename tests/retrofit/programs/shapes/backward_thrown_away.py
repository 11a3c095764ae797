import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, criterion = small.model(), nn.CrossEntropyLoss()
optimizer = small.optimiser(net)


def gradients(x, y):
    optimizer.zero_grad()
    loss = criterion(net(x), y)
    loss.backward()
    return loss.item()


for _ in range(4):
    gradients(*small.data())
    optimizer.step()
    optimizer.param_groups[0]["lr"] = 0.2 * gradients(*small.data(seed=5))
small.save(net)
