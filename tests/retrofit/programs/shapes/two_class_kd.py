import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
optimizer = small.optimiser(net)
for _ in range(4):
    z = net(x)
    zz = z[:, :2]
    yy = y % 2
    t = torch.linspace(-2, 2, 48).sin().view(24, 2).softmax(1)
    hard = F.cross_entropy(zz, yy)  # by hand: hard = competing_ratio_loss(zz, yy)
    loss = hard + F.kl_div(zz.log_softmax(1), t, reduction="batchmean")
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
