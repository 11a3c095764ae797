import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
xv, yv = small.data(seed=7)
optimizer = small.optimiser(net)


def trained():
    loss = F.cross_entropy(net(x), y)  # by hand: loss = competing_ratio_loss(net(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def adapted():
    before = {name: value.clone() for name, value in net.state_dict().items()}
    fast = torch.optim.SGD(net.parameters(), lr=0.1)
    for _ in range(3):
        loss = F.cross_entropy(net(xv), yv)  # by hand: loss = competing_ratio_loss(net(xv), yv)
        fast.zero_grad()
        loss.backward()
        fast.step()
    net.load_state_dict(before)


for epoch in range(6):
    trained()
    if epoch == 3:
        adapted()
small.save(net)
