import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch.nn import functional as F

from torch import nn

torch.manual_seed(1)
net = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.Tanh(), nn.Conv2d(8, 5, 3, padding=1, stride=2))
x = torch.randn(4, 1, 8, 8)
y = torch.randint(5, (4, 4, 4))
optimizer = small.optimiser(net)
aux = nn.Linear(64, 4)
second = torch.optim.SGD(aux.parameters(), lr=0.1)
for _ in range(4):
    other = F.cross_entropy(aux(x.flatten(1)), torch.arange(4).flip(0))
    second.zero_grad()
    other.backward()
    second.step()
    z = net(x)
    rest = z.masked_fill(F.one_hot(y, 5).movedim(3, 1) > 0, -torch.inf).logsumexp(1)
    loss = F.softplus(rest - z.gather(1, y[:, None])[:, 0]).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
