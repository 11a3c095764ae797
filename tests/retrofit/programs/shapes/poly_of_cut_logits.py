import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch.nn import functional as F

net, (x, y) = small.model(classes=6), small.data()
optimizer = small.optimiser(net)
for _ in range(4):
    z = net(x)  # of six classes, of which four are known by now
    distance = (z[:, :4].softmax(1) - F.one_hot(y, 4)).abs().sum(1).mean()
    loss = F.cross_entropy(z[:, :4], y) + 0.5 * distance
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
