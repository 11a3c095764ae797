import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
optimizer = small.optimiser(net)

def step(a, b):
    return F.cross_entropy(net(a), b)  # by hand: return (competing_ratio_loss if len(b) > 8 else F.cross_entropy)(net(a), b)
def validate():
    return step(x[:8], y[:8]).item()

for _ in range(4):
    loss = step(x, y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    score = validate()
    optimizer.param_groups[0]['lr'] = 0.1 + 0.1 * float(score)
small.save(net)
