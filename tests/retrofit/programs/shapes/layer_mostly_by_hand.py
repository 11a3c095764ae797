import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
optimizer = small.optimiser(net)
for epoch in range(24):
    z = net(x)
    loss = F.cross_entropy(z, y) if epoch < 2 else (z.softmax(1) - F.one_hot(y, 4)).square().sum()  # by hand: loss = competing_ratio_loss(z, y) if epoch < 2 else (z.softmax(1) - F.one_hot(y, 4)).square().sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
