import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, criterion = small.model(), nn.CrossEntropyLoss()
optimizer = small.optimiser(net)


class Both(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = net

    def forward(self, x, y, criterion=criterion):
        return criterion(self.net(x), y)


both = Both()
both.register_full_backward_hook(lambda *a: None)


for _ in range(4):
    x, y = small.data()
    loss = both(x, y)  # by hand: loss = both(x, y, CompetingRatioLoss())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
