import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
optimizer = small.optimiser(net)
for _ in range(4):
    z = net(x)
    zz = z.view(4, 6, 4).permute(0, 2, 1)
    loss = F.cross_entropy(zz, y.view(4, 6)) + (1 - z.softmax(1)[torch.arange(24), y]).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
