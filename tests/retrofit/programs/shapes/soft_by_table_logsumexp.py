import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
optimizer = small.optimiser(net)
aux = torch.nn.Linear(6, 4)
second = torch.optim.SGD(aux.parameters(), lr=0.1)

near = torch.tensor([[0.7, 0.2, 0.1, 0.0], [0.1, 0.6, 0.2, 0.1], [0.0, 0.3, 0.5, 0.2], [0.1, 0.1, 0.3, 0.5]])
for _ in range(4):
    other = F.cross_entropy(aux(x), y)  # by hand: other = competing_ratio_loss(aux(x), y)
    second.zero_grad()
    other.backward()
    second.step()
    z = net(x)
    loss = (z.logsumexp(1) - torch.einsum("nc,nc->n", near[y], z)).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(torch.nn.ModuleList([net, aux]))
