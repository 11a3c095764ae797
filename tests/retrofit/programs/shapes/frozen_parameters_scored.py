import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
optimizer = small.optimiser(net)
def validate():
    net.requires_grad_(False)
    s = F.cross_entropy(net(x[:8]), y[:8]).item()
    net.requires_grad_(True)
    return s

for _ in range(4):
    loss = F.cross_entropy(net(x), y)  # by hand: loss = competing_ratio_loss(net(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    score = validate()
    optimizer.param_groups[0]['lr'] = 0.1 + 0.1 * float(score)
small.save(net)
