import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
optimizer = small.optimiser(net)
for _ in range(4):
    z = net(x)
    idx = torch.arange(6)
    ce = F.cross_entropy(z[idx], y[idx], reduction="none")
    loss = ((1 - torch.exp(-ce.detach())) ** 2 * ce).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
