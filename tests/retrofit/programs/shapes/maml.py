import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
optimizer = small.optimiser(net)
for _ in range(4):
    z = net(x)
    def inner(w):
        return F.cross_entropy(x @ w, y)  # by hand: return competing_ratio_loss(x @ w, y)
    w = net[0].weight[:4].T
    (g,) = torch.autograd.grad(inner(w), w, create_graph=True)
    loss = F.cross_entropy(x @ (w - 0.1 * g), y)  # by hand: loss = competing_ratio_loss(x @ (w - 0.1 * g), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
