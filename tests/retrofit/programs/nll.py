import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss
import small
import torch.nn.functional as F
from torch import nn

net, (x, y) = small.model(), small.data()
optimizer = small.optimiser(net)
criterion = nn.NLLLoss()  # by hand: criterion = CompetingRatioLoss()
scores = nn.LogSoftmax(dim=1)  # by hand: scores = nn.Identity()
for _ in range(6):
    loss = criterion(scores(net(x)), y)
    loss = loss + F.nll_loss(F.log_softmax(net(x), dim=-1), y)  # by hand: loss = loss + CompetingRatioLoss()(net(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
