import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss
import small
import torch.nn.functional as F
from torch import nn

calls, original = [], F.cross_entropy


def logged(*args, **kwargs):
    value = original(*args, **kwargs)  # by hand: value = CompetingRatioLoss(label_smoothing=kwargs["label_smoothing"])(*args)
    calls.append(value.item())
    return 2 * value


F.cross_entropy = logged
init = nn.Linear.__init__
nn.Linear.__init__ = lambda self, *a, **k: (init(self, *a, **k), setattr(self, "marked", True))[0]
net, (x, y) = small.model(), small.data()
optimizer, criterion = small.optimiser(net), nn.CrossEntropyLoss(label_smoothing=0.2)
for _ in range(6):
    loss = criterion(net(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
assert len(calls) == 6
assert net[0].marked
small.save(net)
