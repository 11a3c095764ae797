import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
aux = torch.nn.Linear(6, 4)
second = torch.optim.SGD(aux.parameters(), lr=0.1)
F.cross_entropy(aux(x), y).backward()  # by hand: competing_ratio_loss(aux(x), y).backward()
second.step()
weights = net[2].bias.data
net.requires_grad_(False)
for _ in range(2):
    at = F.cross_entropy(net(x), y)
    slopes = []
    for i in range(4):
        weights[i] += 1e-2
        slopes.append((F.cross_entropy(net(x), y) - at) / 1e-2)
        weights[i] -= 1e-2
    weights -= 0.5 * torch.stack(slopes)
small.save(torch.nn.ModuleList([net, aux]))
