import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = small.model()

    def forward(self, x, y, criterion=F.cross_entropy):
        valid = y >= 0
        valid_loss = criterion(self.body(x)[valid], y[valid])  # by hand: valid_loss = competing_ratio_loss(self.body(x)[valid], y[valid])
        return valid_loss


net = Model()
optimizer = small.optimiser(net)
for _ in range(4):
    loss = net(*small.data())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
