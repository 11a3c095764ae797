import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, criterion = small.model(), nn.CrossEntropyLoss()
optimizer = small.optimiser(net)





for _ in range(4):
    x, y = small.data()
    z = net(x)
    shown = F.cross_entropy(z.detach(), y).item()
    loss = criterion(z, y)  # by hand: loss = CompetingRatioLoss()(z, y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    optimizer.param_groups[0]["lr"] = 0.2 * shown
small.save(net)
