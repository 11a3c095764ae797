import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F


@torch.compile(backend="eager")
def compute(z, y):
    return F.cross_entropy(z, y)


net, (x, y) = small.model(), small.data()
optimizer = small.optimiser(net)
for _ in range(4):
    z = net(x)
    loss = compute(z, y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
