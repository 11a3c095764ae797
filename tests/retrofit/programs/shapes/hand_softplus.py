import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
optimizer = small.optimiser(net)
aux = torch.nn.Linear(6, 4)
second = torch.optim.SGD(aux.parameters(), lr=0.1)
target = F.one_hot(y, 4) > 0

for _ in range(4):
    other = F.cross_entropy(aux(x), y)
    second.zero_grad()
    other.backward()
    second.step()
    z = net(x)
    optimizer.zero_grad()
    rest = z.masked_fill(target, -torch.inf).logsumexp(1)
    loss = F.softplus(rest - z[target]).mean()
    loss.backward()
    optimizer.step()
small.save(net)
