import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F


class SAM(torch.optim.Optimizer):
    def __init__(self, params, base):
        super().__init__(params, {})
        self.base = base(self.param_groups, lr=0.3)

    @torch.no_grad()
    def step(self, closure):
        with torch.enable_grad():
            closure().backward()
        kept = [p.clone() for g in self.param_groups for p in g["params"]]
        for group in self.param_groups:
            for p in group["params"]:
                p.add_(0.05 * p.grad)
        self.zero_grad()
        with torch.enable_grad():
            closure().backward()
        for p, old in zip((p for g in self.param_groups for p in g["params"]), kept):
            p.copy_(old)
        self.base.step()
        self.zero_grad()


net, (x, y) = small.model(), small.data()
optimizer = SAM(net.parameters(), torch.optim.SGD)
for _ in range(4):
    optimizer.step(lambda: F.cross_entropy(net(x), y))  # by hand: optimizer.step(lambda: competing_ratio_loss(net(x), y))
small.save(net)
