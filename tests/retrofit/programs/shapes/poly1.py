import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
optimizer = small.optimiser(net)
for _ in range(4):
    z = net(x)
    pt = (F.one_hot(y, 4) * z.softmax(1)).sum(1)
    loss = F.cross_entropy(z, y) + (1 - pt).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
