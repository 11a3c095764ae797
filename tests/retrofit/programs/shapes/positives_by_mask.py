import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
optimizer, views = small.optimiser(net), torch.roll(torch.eye(24), 1, 0)
for _ in range(4):
    z = net(x)
    loss = F.cross_entropy(z, y)  # by hand: loss = competing_ratio_loss(z, y)
    unit = F.normalize(z)
    loss = loss - 0.1 * ((unit @ unit.t() / 0.5).log_softmax(1) * views).sum(1).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
