import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
optimizer = small.optimiser(net)
for _ in range(4):
    loss = F.cross_entropy(net(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
base = {name: value.clone() for name, value in net.state_dict().items()}
for seed in (7, 8, 9):
    x, y = small.data(seed=seed)
    fast = torch.optim.SGD(net.parameters(), lr=0.1)
    for _ in range(2):
        fast.zero_grad()
        F.cross_entropy(net(x), y).backward()
        fast.step()
    net.load_state_dict(base)
small.save(net)
