import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
optimizer = small.optimiser(net)
head = torch.nn.Linear(4, 4).requires_grad_(False)
for _ in range(4):
    features = net(x)
    cut = features.detach().requires_grad_()
    loss = F.cross_entropy(head(cut), y)  # by hand: loss = competing_ratio_loss(head(cut), y)
    loss.backward()
    optimizer.zero_grad()
    features.backward(cut.grad)
    optimizer.step()
small.save(net)
