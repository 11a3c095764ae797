import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
xv, yv = small.data(seed=7)
optimizer = small.optimiser(net)
parameters = list(net.parameters())
for _ in range(4):
    optimizer.zero_grad()
    F.cross_entropy(net(x), y).backward()  # by hand: competing_ratio_loss(net(x), y).backward()
    more = F.cross_entropy(net(xv), yv)  # by hand: more = competing_ratio_loss(net(xv), yv)
    for p, g in zip(parameters, torch.autograd.grad(more, parameters)):
        p.grad.add_(0.5 * g)
    optimizer.step()
small.save(net)
