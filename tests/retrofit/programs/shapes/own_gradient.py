import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F


class Efficient(torch.autograd.Function):
    @staticmethod
    def forward(ctx, z, y):
        ctx.save_for_backward(z, y)
        return F.cross_entropy(z, y)

    @staticmethod
    def backward(ctx, g):
        z, y = ctx.saved_tensors
        return g * (z.softmax(1) - F.one_hot(y, 4)) / len(y), None


net, (x, y) = small.model(), small.data()
optimizer = small.optimiser(net)
head = nn.Linear(4, 4)
for _ in range(4):
    z = net(x)
    loss = Efficient.apply(z, y) + 0.1 * F.cross_entropy(head(z), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
