import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
first = {name: value.clone() for name, value in net.state_dict().items()}
for fold in range(3):
    net.load_state_dict(first)
    optimizer = small.optimiser(net)
    kept = torch.arange(len(x)) % 3 != fold
    for _ in range(3):
        loss = F.cross_entropy(net(x[kept]), y[kept])  # by hand: loss = competing_ratio_loss(net(x[kept]), y[kept])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
small.save(net)
