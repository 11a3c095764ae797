import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, criterion = small.model(), nn.CrossEntropyLoss()
optimizer = small.optimiser(net)


hooks = {"train": [lambda l: (optimizer.zero_grad(), l.backward(), optimizer.step())], "val": []}


def epoch(name, x, y):
    loss = criterion(net(x), y)
    for hook in hooks[name]:
        hook(loss)
    return loss.item()


for _ in range(4):
    epoch("train", *small.data())
    optimizer.param_groups[0]["lr"] = 0.2 * epoch("val", *small.data(seed=5))
small.save(net)
