import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, criterion = small.model(), nn.CrossEntropyLoss()
optimizer = small.optimiser(net)


def quiet(f):
    def g(*a):
        before = torch.is_grad_enabled()
        torch._C._set_grad_enabled(False)
        try:
            return f(*a)
        finally:
            torch._C._set_grad_enabled(before)
    return g


def score(x, y, criterion=criterion):
    return criterion(net(x), y)


@quiet
def held(x, y):
    return score(x, y).item()


for _ in range(4):
    x, y = small.data()
    optimizer.zero_grad()
    loss = score(x, y)  # by hand: loss = score(x, y, CompetingRatioLoss())
    loss.backward()
    optimizer.step()
    optimizer.param_groups[0]["lr"] = 0.2 * held(*small.data(seed=5))
small.save(net)
