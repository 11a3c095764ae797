import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
optimizer = small.optimiser(net)
heads = nn.ModuleDict({"a": nn.Linear(4, 4), "b": nn.Linear(4, 4)})
criteria = {"a": nn.CrossEntropyLoss(), "b": nn.CrossEntropyLoss()}
for _ in range(4):
    z = net(x)
    loss = sum(criteria[k](h(z), y) for k, h in heads.items())  # by hand: loss = sum(CompetingRatioLoss()(h(z), y) for k, h in heads.items())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
