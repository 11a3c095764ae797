import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

class Weighted(nn.CrossEntropyLoss):
    def forward(self, z, y):
        return 2.0 * super().forward(z / 1.5, y)


net, (x, y), criterion = small.model(), small.data(), Weighted()
optimizer = small.optimiser(net)
for _ in range(4):
    loss = criterion(net(x), y)  # by hand: loss = 2.0 * CompetingRatioLoss()(net(x) / 1.5, y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
