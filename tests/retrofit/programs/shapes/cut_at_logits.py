import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
optimizer = small.optimiser(net)
for _ in range(4):
    scores = net(x)
    cut = scores.detach().requires_grad_()
    loss = F.cross_entropy(cut, y)  # by hand: loss = competing_ratio_loss(cut, y)
    loss.backward()
    optimizer.zero_grad()
    scores.backward(cut.grad)
    optimizer.step()
small.save(net)
