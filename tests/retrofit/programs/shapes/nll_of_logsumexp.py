import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
optimizer = small.optimiser(net)
for _ in range(4):
    z = net(x)
    both = torch.stack([z.log_softmax(1), (2 * z).log_softmax(1)])
    loss = F.nll_loss(both.logsumexp(0) - 0.6931, y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
