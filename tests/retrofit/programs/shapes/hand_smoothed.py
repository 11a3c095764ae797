import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, (x, y), head = small.model(), small.data(), nn.Linear(4, 2)
optimizer = torch.optim.SGD([*net.parameters(), *head.parameters()], lr=0.3)
for _ in range(4):
    z = net(x)
    lp = F.log_softmax(z, dim=1)
    mask = lp.data.new(lp.size()).zero_().scatter_(1, y.view(-1, 1), 1)
    mask = 0.85 * mask + 0.15 * (1 - mask) / 3
    loss = -((lp * mask).sum(1).mean()) + 0.1 * F.cross_entropy(head(z), y // 2)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
