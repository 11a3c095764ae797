import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
optimizer = small.optimiser(net)
for _ in range(4):
    z = net(x)
    teacher_probs = torch.linspace(0, 1, 96).view(24, 4).softmax(1)
    kd_loss = F.cross_entropy(z, teacher_probs)
    hard = F.cross_entropy(z, y)  # by hand: hard = competing_ratio_loss(z, y)
    loss = hard + kd_loss
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
