import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch.nn import functional as F

net, (x, y) = small.model(classes=10), small.data(classes=10)
optimizer = small.optimiser(net)
aux = torch.nn.Linear(6, 10)
second = torch.optim.SGD(aux.parameters(), lr=0.1)

net, xh = net.half(), x.half()
for _ in range(4):
    other = F.cross_entropy(aux(x), y)
    second.zero_grad()
    other.backward()
    second.step()
    z = net(xh)
    e = z.exp()
    loss = -(e.gather(1, y[:, None])[:, 0] / e.sum(1)).log().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
