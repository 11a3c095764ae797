import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
optimizer = small.optimiser(net)
aux = torch.nn.Linear(6, 4)
second = torch.optim.SGD(aux.parameters(), lr=0.1)

rows = torch.arange(24)
for _ in range(4):
    other = F.cross_entropy(aux(x), y)
    second.zero_grad()
    other.backward()
    second.step()
    loss = -(net(x).log_softmax(1) @ F.one_hot(y, 4).float().t())[rows, rows].mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
