import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
optimizer = small.optimiser(net)
state, best = None, float("inf")
for epoch in range(6):
    total = 0.0
    for rows in (slice(0, 12), slice(12, 24)):
        loss = F.cross_entropy(net(x[rows]), y[rows])  # by hand: loss = competing_ratio_loss(net(x[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if epoch not in (2, 3):
        state = {name: value.clone() for name, value in net.state_dict().items()}
    else:
        net.load_state_dict(state)
small.save(net)
