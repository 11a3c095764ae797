import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F


class Focal(torch.autograd.Function):
    @staticmethod
    def forward(ctx, ce):
        ctx.save_for_backward(ce)
        return (1 - torch.exp(-ce)) * ce

    @staticmethod
    def backward(ctx, g):
        (ce,) = ctx.saved_tensors
        return g * ((1 - torch.exp(-ce)) + ce * torch.exp(-ce))


net, (x, y) = small.model(), small.data()
optimizer = small.optimiser(net)
for _ in range(4):
    z = net(x)
    loss = Focal.apply(F.cross_entropy(z, y, reduction="none")).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
