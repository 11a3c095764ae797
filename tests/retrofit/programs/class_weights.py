import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss
import small
from torch import nn

net, (x, y) = small.model(), small.data()
optimizer, weights = small.optimiser(net), torch.tensor([0.2, 1.0, 2.0, 0.5])
y[::5] = 9
criterion = nn.CrossEntropyLoss(weights, ignore_index=9)  # by hand: criterion = CompetingRatioLoss(weight=weights, ignore_index=9)
total = nn.CrossEntropyLoss(weights, size_average=False, ignore_index=9)  # by hand: total = CompetingRatioLoss(weight=weights, reduction="sum", ignore_index=9)
rows = nn.CrossEntropyLoss(reduction="none", ignore_index=9)  # by hand: rows = CompetingRatioLoss(reduction="none", ignore_index=9)
for _ in range(6):
    out = net(x)
    loss = criterion(out, y) + total(out, y) / 50 + (rows(out, y) * torch.linspace(0, 1, len(y))).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
