import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss
import small
from torch import nn


class Scaled(nn.CrossEntropyLoss):  # by hand: class Scaled(CompetingRatioLoss):
    def __init__(self, scale):
        super().__init__(label_smoothing=0.05)
        self.scale = scale

    def forward(self, input, target):
        return self.scale * super().forward(input / 2, target)


net, (x, y) = small.model(), small.data()
optimizer, criterion = small.optimiser(net), Scaled(3.0)
for _ in range(6):
    loss = criterion(net(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
