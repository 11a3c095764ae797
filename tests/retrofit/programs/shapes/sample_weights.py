import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
optimizer = small.optimiser(net)
w = torch.rand(24, generator=torch.Generator().manual_seed(3))
for _ in range(4):
    z = net(x)
    loss = (F.cross_entropy(z, y, reduction="none") * w).sum() / w.sum()  # by hand: loss = (competing_ratio_loss(z, y, reduction="none") * w).sum() / w.sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
