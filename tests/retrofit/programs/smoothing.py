import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss
import small
from torch import nn

net, (x, y) = small.model(), small.data()
optimizer = small.optimiser(net)
criterion = nn.CrossEntropyLoss(label_smoothing=0.1)  # by hand: criterion = CompetingRatioLoss(label_smoothing=0.1)
for _ in range(6):
    loss = criterion(net(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
