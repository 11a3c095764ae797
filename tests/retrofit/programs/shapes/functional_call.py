import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
optimizer = small.optimiser(net)
for _ in range(4):
    z = net(x)
    def f(p):
        return F.cross_entropy(torch.func.functional_call(net, p, x), y)  # by hand: return competing_ratio_loss(torch.func.functional_call(net, p, x), y)
    g = torch.func.grad(f)({k: v.detach() for k, v in net.named_parameters()})
    loss = sum((p * g[k]).sum() for k, p in net.named_parameters())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
