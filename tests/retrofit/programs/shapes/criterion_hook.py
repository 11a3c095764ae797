import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, (x, y), criterion = small.model(), small.data(), nn.CrossEntropyLoss()  # by hand: net, (x, y), criterion = small.model(), small.data(), CompetingRatioLoss()
criterion.register_forward_hook(lambda m, i, o: 2 * o)
optimizer = small.optimiser(net)
for _ in range(4):
    loss = criterion(net(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
