import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss
import small
from torch import nn

torch.manual_seed(0)
net = nn.Conv2d(3, 4, 3, padding=1)
x, y = torch.randn(2, 3, 5, 6), torch.randint(4, (2, 5, 6))
optimizer = small.optimiser(net)
criterion = nn.CrossEntropyLoss(ignore_index=0)  # by hand: criterion = CompetingRatioLoss(ignore_index=0)
for _ in range(6):
    loss = criterion(net(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
