import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
optimizer = small.optimiser(net)
from torch.utils.checkpoint import checkpoint

mixing = torch.eye(4) + 0.1


def tail(z):
    return F.cross_entropy(z @ mixing, y)  # by hand: return competing_ratio_loss(z @ mixing, y)


for _ in range(4):
    loss = checkpoint(tail, net(x), use_reentrant=True)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
