import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch.nn import functional as F

from torch.func import functional_call

net, (x, y) = small.model(), small.data()
xv, yv = small.data(rows=8, seed=7)
optimizer = small.optimiser(net)
for _ in range(4):
    weights = {name: p.clone() for name, p in net.named_parameters()}
    z = functional_call(net, weights, (x,))
    losses = F.cross_entropy(z, y, reduction="none")  # by hand: losses = competing_ratio_loss(z, y, reduction="none")
    epsilon = torch.zeros(24, requires_grad=True)
    gradients = torch.autograd.grad((losses * epsilon).sum(), list(weights.values()), create_graph=True)
    moved = {name: p - 0.1 * g for (name, p), g in zip(weights.items(), gradients)}
    z = functional_call(net, moved, (xv,))
    clean = F.cross_entropy(z, yv)  # by hand: clean = competing_ratio_loss(z, yv)
    (g,) = torch.autograd.grad(clean, epsilon)
    w = (-g).clamp(min=0)
    w = w / w.sum().clamp(min=1e-8)
    losses = F.cross_entropy(net(x), y, reduction="none")  # by hand: losses = competing_ratio_loss(net(x), y, reduction="none")
    optimizer.zero_grad()
    (losses * w).sum().backward()
    optimizer.step()
small.save(net)
