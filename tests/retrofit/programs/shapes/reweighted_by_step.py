import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch.nn import functional as F

net, head, (x, y) = small.model(classes=8), torch.nn.Linear(8, 4), small.data()
xv, yv = small.data(rows=8, seed=7)
optimizer = torch.optim.SGD([*net.parameters(), *head.parameters()], lr=0.3)
of_class = torch.zeros(4, requires_grad=True)  # weights, in logarithms, set by a rule of its own
for _ in range(4):
    h = net(x)
    losses = F.cross_entropy(head(h), y, reduction="none")  # by hand: losses = competing_ratio_loss(head(h), y, reduction="none")
    loss = (losses * of_class[y].exp()).mean()
    (g,) = torch.autograd.grad(loss, head.weight, create_graph=True)
    z = net(xv) @ (head.weight - 0.1 * g).T + head.bias
    outer = 2 * F.cross_entropy(z, yv)  # by hand: outer = 2 * competing_ratio_loss(z, yv)
    (step,) = torch.autograd.grad(outer, of_class)
    with torch.no_grad():
        of_class -= step.sign() * 0.1
    losses = F.cross_entropy(head(net(x)), y, reduction="none")  # by hand: losses = competing_ratio_loss(head(net(x)), y, reduction="none")
    optimizer.zero_grad(set_to_none=False)
    (losses * of_class.detach()[y].exp()).mean().backward()
    optimizer.step()
small.save(net)
