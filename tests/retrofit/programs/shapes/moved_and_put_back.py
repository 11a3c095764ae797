import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
xv, yv = small.data(seed=7)
optimizer = small.optimiser(net)
parameters = list(net.parameters())
sharpness = []
for _ in range(4):
    flat = F.cross_entropy(net(xv), yv)
    gradients = torch.autograd.grad(flat, parameters)
    with torch.no_grad():
        for p, g in zip(parameters, gradients):
            p.add_(0.05 * g)
        sharpness.append(F.cross_entropy(net(xv), yv) - flat)
        for p, g in zip(parameters, gradients):
            p.sub_(0.05 * g)
    loss = F.cross_entropy(net(x), y)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
small.save(net)
