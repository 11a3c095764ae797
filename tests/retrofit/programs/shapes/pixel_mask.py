import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
optimizer = small.optimiser(net)
for _ in range(4):
    z = net(x)
    zz = z.view(2, 3, 4, 4).permute(0, 3, 1, 2)
    m = torch.ones(2, 3, 4)
    m[0] = 0
    loss = (F.cross_entropy(zz, y.view(2, 3, 4), reduction="none") * m).sum() / m.sum()  # by hand: loss = (competing_ratio_loss(zz, y.view(2, 3, 4), reduction="none") * m).sum() / m.sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
