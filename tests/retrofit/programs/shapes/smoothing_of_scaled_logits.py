import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
optimizer = small.optimiser(net)
for _ in range(4):
    z = net(x)
    loss = 0.9 * F.cross_entropy(z / 2.0, y) - 0.1 * F.log_softmax(z / 2.0, 1).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
