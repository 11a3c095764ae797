import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch.nn import functional as F

from torch.utils.checkpoint import checkpoint

net, (x, y) = small.model(), small.data()
optimizer = small.optimiser(net)
for _ in range(4):
    z = checkpoint(net, x.clone().requires_grad_(), use_reentrant=True)
    loss = F.cross_entropy(z, y)  # by hand: loss = competing_ratio_loss(z, y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
