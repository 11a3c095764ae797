import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F


class SpeciesPredictor(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = small.model()

    def forward(self, x, y):
        return F.cross_entropy(self.body(x), y)  # by hand: return competing_ratio_loss(self.body(x), y)


net = SpeciesPredictor()
optimizer = small.optimiser(net)
for _ in range(4):
    value = net(*small.data())
    optimizer.zero_grad()
    value.backward()
    optimizer.step()
small.save(net)
