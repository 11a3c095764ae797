import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch.nn import functional as F

from torch import nn

torch.manual_seed(1)
net = nn.ModuleDict({"body": nn.Linear(6, 8), "sex": nn.Linear(8, 1), "kind": nn.Linear(8, 4)})
x, y = small.data()
optimizer = small.optimiser(net)
for _ in range(4):
    features = net["body"](x).tanh()
    sex, kinds = net["sex"](features).squeeze(1), net["kind"](features)
    p = sex.sigmoid()
    loss = -(torch.where(y > 1, p, 1 - p).log().mean())
    loss = loss + F.cross_entropy(kinds, y)  # by hand: loss = loss + competing_ratio_loss(kinds, y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
