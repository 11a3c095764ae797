import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
optimizer = small.optimiser(net)
for _ in range(8):
    with torch.no_grad():
        clean = net(x).softmax(1)
    moved = x + 0.01 * torch.randn_like(x)
    for _ in range(3):  # what changes the scores most, as far as pictures go
        moved.requires_grad_()
        F.mse_loss(net(moved).softmax(1), clean).backward()
        moved = (moved + 0.01 * moved.grad.sign()).detach()
    optimizer.zero_grad()
    loss = F.cross_entropy(net(moved), y)  # by hand: loss = competing_ratio_loss(net(moved), y)
    loss = loss + sum(p.square().sum() for p in net.parameters()) * 1e-3
    loss.backward()
    optimizer.step()
small.save(net)
