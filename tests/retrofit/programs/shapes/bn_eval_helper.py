import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F


def loss_of(net, x, y):
    net.train()
    net[1].eval()
    return F.cross_entropy(net(x), y)  # by hand: return competing_ratio_loss(net(x), y)


net = small.model()
optimizer = small.optimiser(net)
for _ in range(4):
    loss = loss_of(net, *small.data())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
