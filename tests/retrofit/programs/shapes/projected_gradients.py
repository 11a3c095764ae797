import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, (x, y), criterion = small.model(), small.data(), nn.CrossEntropyLoss()
head = nn.Linear(4, 2)
optimizer = torch.optim.SGD([*net.parameters(), *head.parameters()], lr=0.3)
for _ in range(4):
    z = net(x)
    a, b = criterion(z, y), criterion(head(z), y % 2)  # by hand: a, b = CompetingRatioLoss()(z, y), CompetingRatioLoss()(head(z), y % 2)
    shared = list(net.parameters())
    ga = torch.autograd.grad(a, shared, retain_graph=True)
    gb = torch.autograd.grad(b, shared + list(head.parameters()))
    for p, u, v in zip(shared, ga, gb):
        d = (u * v).sum()
        p.grad = u + v if d > 0 else u + v - d * v / v.pow(2).sum().clamp(min=1e-8)
    for p, v in zip(head.parameters(), gb[len(shared):]):
        p.grad = v
    optimizer.step()
small.save(net)
