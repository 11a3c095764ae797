import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss
import small
from torch import nn

net, (x, y) = small.model(), small.data()
optimizer = small.optimiser(net)
criterion = nn.CrossEntropyLoss()  # by hand: criterion = CompetingRatioLoss()
mixed_x, mixed_y = 0.7 * x + 0.3 * x.flip(0), 0.7 * torch.eye(4)[y] + 0.3 * torch.eye(4)[y.flip(0)]
for _ in range(6):
    loss = criterion(net(mixed_x), mixed_y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
