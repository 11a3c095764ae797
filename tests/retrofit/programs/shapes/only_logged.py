import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
optimizer = small.optimiser(net)
values = []
for _ in range(4):
    z = net(x)
    logged = F.cross_entropy(z, y)
    values.append(logged.item())
    lp = z.log_softmax(1)
    loss = -lp[torch.arange(24), y].mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
