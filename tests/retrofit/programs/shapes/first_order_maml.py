import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
xv, yv = small.data(seed=7)
optimizer = small.optimiser(net)
parameters = list(net.parameters())
for _ in range(4):
    inner = F.cross_entropy(net(x), y)  # by hand: inner = competing_ratio_loss(net(x), y)
    gradients = torch.autograd.grad(inner, parameters)
    fast = {n: p - 0.1 * g for (n, p), g in zip(net.named_parameters(), gradients)}
    scores = torch.func.functional_call(net, fast, (xv,))
    outer = F.cross_entropy(scores, yv)  # by hand: outer = competing_ratio_loss(scores, yv)
    outer.backward()
    optimizer.step()
    optimizer.zero_grad()
small.save(net)
