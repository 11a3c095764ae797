import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch.nn import functional as F

net, (x, y) = small.model(classes=5), small.data(classes=2)
optimizer = small.optimiser(net)
for _ in range(4):
    z = net(x)
    kinds = F.cross_entropy(z[:, 1:], y + 1)  # by hand: kinds = competing_ratio_loss(z[:, 1:], y + 1)
    loss = F.softplus(z[:, 0] * (1 - 2 * y)).mean() + 0.3 * kinds
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
