import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch.nn import functional as F

import copy

net, (x, y) = small.model(), small.data()
xv, yv = small.data(seed=7)


def tuned(net, x, y, steps):
    optimizer = small.optimiser(net)
    for _ in range(steps):
        loss = F.cross_entropy(net(x), y)  # by hand: loss = competing_ratio_loss(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


for epoch in range(6):
    rows, labels = (x, y) if epoch % 2 == 0 else (xv, yv)
    before = copy.deepcopy(net.state_dict())
    tuned(net, rows, labels, 3)
    if epoch % 2:
        net.load_state_dict(before)
small.save(net)
