import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
optimizer = small.optimiser(net)
step = 0
for _ in range(12):
    z = net(x)
    ce = F.cross_entropy(z, y, reduction="none")
    loss = ce.mean() if step < 6 else ((1 - torch.exp(-ce)) ** 2 * ce).mean()
    step += 1
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
