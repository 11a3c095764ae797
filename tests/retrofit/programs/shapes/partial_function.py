import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F
import functools

net, (x, y) = small.model(), small.data()
optimizer = small.optimiser(net)
compute = functools.partial(F.cross_entropy, label_smoothing=0.1)
for _ in range(4):
    z = net(x)
    loss = compute(z, y)  # by hand: loss = competing_ratio_loss(z, y, label_smoothing=0.1)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
