import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
xv, yv = small.data(seed=7)
parameters = list(net.parameters())
shown = []
for _ in range(4):
    seen = F.cross_entropy(net(xv), yv)
    shown.append(sum(g.norm() for g in torch.autograd.grad(seen, parameters)).item())
    loss = F.cross_entropy(net(x), y)
    gradients = torch.autograd.grad(loss, parameters)
    with torch.no_grad():
        torch._foreach_sub_(parameters, gradients, alpha=0.1)
small.save(net)
