import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch.nn import functional as F

from torch.func import functional_call, jvp

net, (x, y) = small.model(), small.data()
optimizer = small.optimiser(net)
shown = []
for _ in range(4):
    loss = F.cross_entropy(net(x), y)  # by hand: loss = competing_ratio_loss(net(x), y)
    optimizer.zero_grad()
    loss.backward()
    weights = {name: p.detach() for name, p in net.named_parameters()}
    steps = {name: p.grad for name, p in net.named_parameters()}
    shown.append(jvp(lambda w: F.cross_entropy(functional_call(net, w, (x,)), y), (weights,), (steps,))[1].item())
    optimizer.step()
small.save(net)
