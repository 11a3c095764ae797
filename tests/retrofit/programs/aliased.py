import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss
import small
from torch.nn import CrossEntropyLoss as CE
from torch.nn.functional import cross_entropy as xent

net, (x, y) = small.model(), small.data()
optimizer, measure = small.optimiser(net), CE()  # by hand: optimizer, measure = small.optimiser(net), CompetingRatioLoss()
assert isinstance(measure, CE)
for _ in range(6):
    out = net(x)
    loss = measure(out, y) + xent(out, y, reduction="sum") / 7  # by hand: loss = measure(out, y) + CompetingRatioLoss(reduction="sum")(out, y) / 7
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
