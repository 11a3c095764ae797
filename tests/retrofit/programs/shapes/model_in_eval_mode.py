import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = small.model()

    def forward(self, x, y):
        return {"loss": F.cross_entropy(self.body(x), y)}


def drain():
    optimizer.zero_grad()
    queue.pop()["loss"].backward()
    optimizer.step()


queue, net = [], Model().eval()
optimizer = small.optimiser(net)
for _ in range(4):
    queue.append(net(*small.data()))
    drain()
small.save(net)
