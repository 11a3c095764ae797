import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
optimizer = small.optimiser(net)
w = torch.tensor([0.5, 1.0, 2.0, 1.5])
for _ in range(4):
    z = net(x)
    loss = (F.cross_entropy(z, y, reduction="none") * w[y]).mean()  # by hand: loss = (competing_ratio_loss(z, y, reduction="none") * w[y]).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
