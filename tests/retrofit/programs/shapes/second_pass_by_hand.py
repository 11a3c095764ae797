import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
optimizer = small.optimiser(net)
for _ in range(4):
    loss = F.cross_entropy(net(x), y)  # by hand: loss = competing_ratio_loss(net(x), y)
    again = net(x + 0.1).softmax(1)
    loss = loss + 0.3 * (again - F.one_hot(y, 4)).square().sum(1).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
