import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, teacher, (x, y) = small.model(), small.model(seed=3), small.data()
optimizer = small.optimiser(net)
for _ in range(4):
    z = net(x)
    with torch.no_grad():
        soft = (teacher(x) / 2).softmax(1)
    loss = F.cross_entropy(z, y)  # by hand: loss = competing_ratio_loss(z, y)
    loss = loss - 0.5 * (soft * (z / 2).log_softmax(1)).sum(1).mean()
    loss = loss + 0.5 * F.kl_div((z / 2).log_softmax(1), soft, reduction="batchmean")
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
