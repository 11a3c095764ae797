import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch.nn import functional as F

net, (x, y) = small.model(classes=24), small.data(classes=24)
xv, yv = small.data(seed=7, classes=24)
optimizer = small.optimiser(net)
parameters = list(net.parameters())
shown = []
for _ in range(4):
    seen = F.cross_entropy(net(xv), yv)
    shown.append(sum(g.norm() for g in torch.autograd.grad(seen, parameters)).item())
    first = F.cross_entropy(net(x[:12]), y[:12])  # by hand: first = competing_ratio_loss(net(x[:12]), y[:12])
    gradients = torch.autograd.grad(first, parameters)
    second = F.cross_entropy(net(x[12:]), y[12:])  # by hand: second = competing_ratio_loss(net(x[12:]), y[12:])
    for p, g, h in zip(parameters, gradients, torch.autograd.grad(second, parameters)):
        p.grad = (0.7 * g + 0.3 * h).detach()
    optimizer.step()
small.save(net)
