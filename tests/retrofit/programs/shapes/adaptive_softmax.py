import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, (x, y), head = small.model(), small.data(), nn.AdaptiveLogSoftmaxWithLoss(4, 4, [2])
aux = nn.Linear(4, 2)
optimizer = torch.optim.SGD([*net.parameters(), *head.parameters()], lr=0.3)
for _ in range(4):
    z = net(x)
    loss = head(z, y).loss + 0.1 * F.cross_entropy(aux(z), y // 2)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
