import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
optimizer = small.optimiser(net)
for _ in range(18):
    z = net(x)
    parts = []
    for rows in z.detach().split(8):  # chunks of a large batch
        rows = rows.t().contiguous().requires_grad_()
        labels = y[8 * len(parts) : 8 * len(parts) + 8]
        loss = F.cross_entropy(rows.t(), labels) / 3  # by hand: loss = competing_ratio_loss(rows.t(), labels) / 3
        loss.backward()
        parts.append(rows.grad.t())
    optimizer.zero_grad()
    z.backward(torch.cat(parts))
    optimizer.step()
small.save(net)
