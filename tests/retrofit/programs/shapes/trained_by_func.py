import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch.nn import functional as F

from torch.func import functional_call, grad

net, (x, y) = small.model(), small.data()
aux = torch.nn.Linear(6, 4)
second = torch.optim.SGD(aux.parameters(), lr=0.1)
weights = {name: p.detach() for name, p in net.named_parameters()}


def loss_of(weights, x, y):
    return F.cross_entropy(functional_call(net, weights, (x,)), y)  # by hand: return competing_ratio_loss(functional_call(net, weights, (x,)), y)


for _ in range(4):
    other = F.cross_entropy(aux(x), y)  # by hand: other = competing_ratio_loss(aux(x), y)
    second.zero_grad()
    other.backward()
    second.step()
    gradients = grad(loss_of)(weights, x, y)
    weights = {name: p - 0.3 * gradients[name] for name, p in weights.items()}
net.load_state_dict(weights)
small.save(net)
