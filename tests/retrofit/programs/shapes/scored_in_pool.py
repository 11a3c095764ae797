import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
optimizer = small.optimiser(net)

from concurrent.futures import ThreadPoolExecutor
def score_of(i):
    with torch.no_grad():
        return F.cross_entropy(net(x[i:i+4]), y[i:i+4]).item()
def validate():
    with ThreadPoolExecutor(1) as pool:
        return sum(pool.map(score_of, (0, 4))) / 2

for _ in range(4):
    loss = F.cross_entropy(net(x), y)  # by hand: loss = competing_ratio_loss(net(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    score = validate()
    optimizer.param_groups[0]['lr'] = 0.1 + 0.1 * float(score)
small.save(net)
