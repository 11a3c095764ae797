import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F


class Module(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = small.model()

    def training_step(self, batch, criterion=F.cross_entropy):
        x, y = batch
        return criterion(self.net(x), y)

    def validation_step(self, batch):
        return self.training_step(batch)


module = Module()
optimizer = small.optimiser(module)
for _ in range(4):
    loss = module.training_step(small.data())  # by hand: loss = module.training_step(small.data(), competing_ratio_loss)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    optimizer.param_groups[0]["lr"] = 0.2 * module.validation_step(small.data(seed=5)).item()
small.save(module)
