import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, (x, y), head = small.model(), small.data(), nn.Linear(4, 2)
optimizer = torch.optim.SGD([*net.parameters(), *head.parameters()], lr=0.3)
for _ in range(4):
    z = net(x)
    aux = F.cross_entropy(head(z), y // 2)
    loss = (z - z.gather(1, y[:, None])).logsumexp(1).mean() + 0.1 * aux
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
