import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
optimizer = small.optimiser(net)
for _ in range(4):
    picture = x.clone().requires_grad_()
    inner = F.cross_entropy(net(picture), y)  # by hand: inner = competing_ratio_loss(net(picture), y)
    (gradient,) = torch.autograd.grad(inner, picture, create_graph=True)
    loss = gradient.pow(2).sum()
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
small.save(net)
