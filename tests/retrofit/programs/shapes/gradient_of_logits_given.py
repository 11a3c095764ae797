import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
optimizer = small.optimiser(net)
for _ in range(4):
    z = net(x)
    loss = F.cross_entropy(z, y)  # by hand: loss = competing_ratio_loss(z, y)
    (gradient,) = torch.autograd.grad(loss, z, retain_graph=True)
    optimizer.zero_grad()
    z.backward(gradient)
    optimizer.step()
small.save(net)
