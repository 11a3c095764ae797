import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
xv, yv = small.data(seed=7)
optimizer = small.optimiser(net)
weights = torch.nn.Parameter(torch.ones(2))
balance = torch.optim.SGD([weights], lr=0.05)
for _ in range(4):
    first = F.cross_entropy(net(x), y)  # by hand: first = competing_ratio_loss(net(x), y)
    second = F.cross_entropy(net(xv), yv)  # by hand: second = competing_ratio_loss(net(xv), yv)
    total = weights[0] * first + weights[1] * second
    optimizer.zero_grad()
    total.backward(retain_graph=True)
    norms = [
        torch.autograd.grad(w * loss, net[2].weight, retain_graph=True, create_graph=True)[0].norm()
        for w, loss in zip(weights, (first, second))
    ]
    mean = (norms[0] + norms[1]).detach() / 2
    weights.grad = torch.autograd.grad((norms[0] - mean).abs() + (norms[1] - mean).abs(), weights)[0]
    optimizer.step()
    balance.step()
small.save(net)
