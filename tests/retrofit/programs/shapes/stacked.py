import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
optimizer = small.optimiser(net)
for _ in range(4):
    z = net(x)
    parts = [F.cross_entropy(z[i::2], y[i::2]) for i in range(2)]  # by hand: parts = [competing_ratio_loss(z[i::2], y[i::2]) for i in range(2)]
    loss = torch.stack(parts).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
