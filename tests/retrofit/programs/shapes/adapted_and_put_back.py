import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
xv, yv = small.data(seed=7)
optimizer = small.optimiser(net)
for _ in range(4):
    before = [p.detach().clone() for p in net.parameters()]
    fast = torch.optim.Adam(net.parameters(), lr=0.01)
    for rows in (slice(0, 8), slice(8, 16)):
        fast.zero_grad()
        F.cross_entropy(net(xv[rows]), yv[rows]).backward()
        fast.step()
    with torch.no_grad():
        for p, b in zip(net.parameters(), before):
            p.copy_(b)
    loss = F.cross_entropy(net(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
