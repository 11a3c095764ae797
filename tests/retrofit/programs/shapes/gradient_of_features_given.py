import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
optimizer = small.optimiser(net)
for _ in range(4):
    features = net[:2](x)
    loss = F.cross_entropy(net[2](features), y)  # by hand: loss = competing_ratio_loss(net[2](features), y)
    gradient, *own = torch.autograd.grad(loss, [features, *net[2].parameters()])
    optimizer.zero_grad()
    features.backward(gradient.clamp(-1, 1))
    for p, g in zip(net[2].parameters(), own):
        p.grad = g
    optimizer.step()
small.save(net)
