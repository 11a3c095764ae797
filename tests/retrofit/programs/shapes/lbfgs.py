import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, criterion = small.model(), nn.CrossEntropyLoss()
optimizer = small.optimiser(net)


second = torch.optim.LBFGS(net.parameters(), lr=0.1)


for _ in range(4):
    x, y = small.data()

    def closure():
        second.zero_grad()
        loss = criterion(net(x), y)  # by hand: loss = CompetingRatioLoss()(net(x), y)
        loss.backward()
        return loss

    second.step(closure)
small.save(net)
