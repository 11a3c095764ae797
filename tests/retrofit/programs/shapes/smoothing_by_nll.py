import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

class Smooth(nn.Module):
    def forward(self, z, y):
        lp = F.log_softmax(z, -1)
        return 0.9 * F.nll_loss(lp, y) - 0.1 * lp.mean(-1).mean()


net, (x, y), criterion = small.model(), small.data(), Smooth()
optimizer = small.optimiser(net)
for _ in range(4):
    loss = criterion(net(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
