from dataclasses import dataclass, field  # by hand: from dataclasses import dataclass, field; from finegrained_crl import CompetingRatioLoss
from functools import partial

import small
from torch import nn
from torch.nn import functional as F  # by hand: from finegrained_crl import competing_ratio_loss

CRITERIA = {"ce": nn.CrossEntropyLoss, "mse": nn.MSELoss}  # by hand: CRITERIA = {"ce": CompetingRatioLoss, "mse": nn.MSELoss}
smoothed = partial(F.cross_entropy, label_smoothing=0.1)  # by hand: smoothed = partial(competing_ratio_loss, label_smoothing=0.1)


@dataclass
class Config:
    loss: str = "ce"
    auxiliary: nn.Module = field(default_factory=nn.CrossEntropyLoss)  # by hand: auxiliary: nn.Module = field(default_factory=CompetingRatioLoss)


def weighted(net, x, y, criteria=((1.0, nn.CrossEntropyLoss()),)):  # noqa: B008  # by hand: def weighted(net, x, y, criteria=((1.0, CompetingRatioLoss()),)):
    logits = net(x)
    return sum(weight * criterion(logits, y) for weight, criterion in criteria) + smoothed(logits, y)


config = Config()
net, (x, y) = small.model(), small.data()
optimizer, criterion = small.optimiser(net), CRITERIA[config.loss]()
for _ in range(6):
    optimizer.zero_grad()
    loss = criterion(net(x), y) + config.auxiliary(net(x), y) + weighted(net, x, y)
    loss.backward()
    optimizer.step()
    val_loss = nn.CrossEntropyLoss()(net(x), y).item()
small.save(net)
