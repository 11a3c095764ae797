import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
optimizer = torch.optim.SGD(net.parameters(), lr=0.3)
schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, step / 2, 4 - step))
for _ in range(5):
    loss = F.cross_entropy(net(x), y)  # by hand: loss = competing_ratio_loss(net(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    schedule.step()
small.save(net)
