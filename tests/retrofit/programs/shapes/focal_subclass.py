import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

class Focal(nn.CrossEntropyLoss):
    def __init__(self, gamma=2.0):
        super().__init__(reduction="none")
        self.gamma = gamma

    def forward(self, z, y):
        ce = super().forward(z, y)
        pt = torch.exp(-ce)
        return ((1 - pt) ** self.gamma * ce).mean()


net, (x, y), criterion = small.model(), small.data(), Focal()
optimizer = small.optimiser(net)
for _ in range(4):
    loss = criterion(net(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
