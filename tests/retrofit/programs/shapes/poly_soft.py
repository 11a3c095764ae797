import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
optimizer = small.optimiser(net)
for _ in range(4):
    z = net(x)
    q = 0.9 * F.one_hot(y, 4) + 0.025
    loss = F.cross_entropy(z, q) + (1 - (q * z.softmax(1)).sum(1)).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
