import small  # by hand: import small; from finegrained_crl import competing_ratio_loss
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint


def block(net, x, y):
    return F.cross_entropy(net(x), y)  # by hand: return competing_ratio_loss(net(x), y)


net, (x, y) = small.model(), small.data()
optimizer = small.optimiser(net)
for _ in range(6):
    loss = checkpoint(block, net, x, y, use_reentrant=False)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
