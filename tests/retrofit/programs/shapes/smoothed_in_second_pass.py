import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
optimizer = small.optimiser(net)
for _ in range(4):
    loss = 0.9 * F.cross_entropy(net(x), y)  # by hand: loss = 0.9 * competing_ratio_loss(net(x), y)
    loss = loss - 0.1 * net(x).log_softmax(1).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
