import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch.nn import functional as F

net, (x, y) = small.model(classes=8), small.data()
optimizer = small.optimiser(net)
for _ in range(4):
    heads = net(x).view(-1, 2, 4)
    first = F.cross_entropy(heads[:, 0], y)
    second = 0.9 * F.cross_entropy(heads[:, 1], y) - 0.1 * heads[:, 1].log_softmax(1).mean()
    loss = first + second
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
