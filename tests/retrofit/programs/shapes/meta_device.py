import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
optimizer = small.optimiser(net)

criterion = nn.CrossEntropyLoss()  # by hand: criterion = CompetingRatioLoss()
meta = nn.Linear(6, 4, device="meta")
F.cross_entropy(meta(torch.randn(3, 6, device="meta")), torch.zeros(3, dtype=torch.long, device="meta"))
for _ in range(4):
    z = net(x)
    loss = criterion(z, y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
