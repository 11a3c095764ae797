import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
optimizer = small.optimiser(net)
for _ in range(4):
    z = net(x)
    w = torch.ones((), requires_grad=True)
    ce = F.cross_entropy(z * w, y)  # by hand: ce = competing_ratio_loss(z * w, y)
    g, = torch.autograd.grad(ce, w, create_graph=True)
    loss = ce + 0.1 * g.pow(2)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
