import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
xv, yv = small.data(seed=7)
optimizer = small.optimiser(net)
parameters = list(net.parameters())
shown = []
for _ in range(4):
    loss = F.cross_entropy(net(x), y)
    gradients = torch.autograd.grad(loss, parameters)
    seen = F.cross_entropy(net(xv), yv)
    shown.append(sum(g.norm() for g in torch.autograd.grad(seen, parameters)).item())
    for p, g in zip(parameters, gradients):
        p.grad = g
    optimizer.step()
small.save(net)
