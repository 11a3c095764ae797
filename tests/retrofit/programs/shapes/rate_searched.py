import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch.nn import functional as F

import copy

net, (x, y) = small.model(), small.data()


def search(net):
    before = copy.deepcopy(net.state_dict())
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-3)
    for _ in range(4):
        loss = F.cross_entropy(net(x), y)  # by hand: loss = competing_ratio_loss(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        optimizer.param_groups[0]["lr"] *= 3
    net.load_state_dict(before)


def train(net, steps):
    optimizer = small.optimiser(net)
    for _ in range(steps):
        loss = F.cross_entropy(net(x), y)  # by hand: loss = competing_ratio_loss(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


for steps in (2, 4):  # head and network
    search(net)
    train(net, steps)
small.save(net)
