import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch.nn import functional as F

import copy

net, (x, y) = small.model(), small.data()
xv, yv = small.data(seed=7)


def train(net):
    optimizer = torch.optim.SGD(net.parameters(), lr=0.3)
    for _ in range(2):
        loss = F.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def adapted_accuracy(net):
    before = copy.deepcopy(net.state_dict())
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for _ in range(3):
        loss = F.cross_entropy(net(xv[:12]), yv[:12])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        accuracy = (net(xv[12:]).argmax(1) == yv[12:]).float().mean()
    net.load_state_dict(before)
    return accuracy


for _ in range(3):
    train(net)
    adapted_accuracy(net)
small.save(net)
