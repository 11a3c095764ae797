import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
optimizer = small.optimiser(net)
parameters = list(net.parameters())
for _ in range(4):
    loss = F.cross_entropy(net(x), y)  # by hand: loss = competing_ratio_loss(net(x), y)
    gradients = torch.autograd.grad(loss, parameters)
    optimizer.zero_grad()
    for p, g in zip(parameters, gradients):
        p.grad = g.clamp(-0.1, 0.1)
    optimizer.step()
small.save(net)
