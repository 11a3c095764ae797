import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
xv, yv = small.data(seed=7)
optimizer = small.optimiser(net)
parameters = list(net.parameters())
traces = []
for _ in range(4):
    shown = F.cross_entropy(net(xv), yv)
    gradients = torch.autograd.grad(shown, parameters, create_graph=True)
    signs = [2.0 * torch.randint(2, p.shape) - 1 for p in parameters]
    products = torch.autograd.grad(sum((g * v).sum() for g, v in zip(gradients, signs)), parameters)
    traces.append(sum((h * v).sum() for h, v in zip(products, signs)).item())
    loss = F.cross_entropy(net(x), y)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
small.save(net)
