import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
optimizer = small.optimiser(net)
head = nn.Linear(4, 4)
for _ in range(4):
    z = net(x)
    lp = z.log_softmax(1)
    loss = 0.1 * F.cross_entropy(head(z), y) - lp.gather(1, y[:, None]).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
