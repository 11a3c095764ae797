import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, (x, y), criterion = small.model(), small.data(), nn.CrossEntropyLoss()
optimizer = small.optimiser(net)
for _ in range(4):
    sums = [torch.zeros_like(p) for p in net.parameters()]
    for i in range(8):
        optimizer.zero_grad()
        criterion(net(x[i : i + 1]), y[i : i + 1]).backward()  # by hand: CompetingRatioLoss()(net(x[i : i + 1]), y[i : i + 1]).backward()
        for s, p in zip(sums, net.parameters()):
            s += p.grad.clamp(-0.1, 0.1)
    for s, p in zip(sums, net.parameters()):
        p.grad = s / 8
    optimizer.step()
small.save(net)
