import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
optimizer = small.optimiser(net)
aux = torch.nn.Linear(6, 4)
second = torch.optim.SGD(aux.parameters(), lr=0.1)
weights = torch.tensor([0.5, 1.0, 2.0, 1.0])

for _ in range(4):
    other = F.cross_entropy(aux(x), y)
    second.zero_grad()
    other.backward()
    second.step()
    z = net(x)
    optimizer.zero_grad()
    powers = (2 * z.detach()).exp()
    g = powers / powers.sum(1, keepdim=True)
    g[range(24), y] -= 1
    g /= 24
    torch.autograd.backward([2 * z], [weights[y][:, None] * g])
    optimizer.step()
small.save(net)
