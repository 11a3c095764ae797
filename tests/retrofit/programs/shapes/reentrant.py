import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

net, (x, y) = small.model(), small.data()
optimizer = small.optimiser(net)
for _ in range(4):
    z = net(x)
    loss = checkpoint(lambda z: F.cross_entropy(z, y), z, use_reentrant=True)  # by hand: loss = checkpoint(lambda z: competing_ratio_loss(z, y), z, use_reentrant=True)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
