import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
optimizer = small.optimiser(net)
power = 1.0
for _ in range(4):
    losses = F.cross_entropy(net(x), y, reduction="none")  # by hand: losses = competing_ratio_loss(net(x), y, reduction="none")
    loss = (losses**power).mean() ** torch.tensor(1)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
