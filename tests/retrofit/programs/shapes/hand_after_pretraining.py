import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
optimizer = small.optimiser(net)


def update(loss):
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


for _ in range(5):
    update(net(x).pow(2).mean())
for _ in range(4):
    update(F.cross_entropy(net(x.flip(1)), y))  # by hand: update(competing_ratio_loss(net(x.flip(1)), y))
for _ in range(60):  # more than there are calls above whose ways are looked at
    update(-net(x).log_softmax(1).gather(1, y[:, None]).mean())
small.save(net)
