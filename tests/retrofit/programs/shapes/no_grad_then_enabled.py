import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, criterion = small.model(), nn.CrossEntropyLoss()
optimizer = small.optimiser(net)


@torch.no_grad()
def run(x, y):
    with torch.enable_grad():
        loss = criterion(net(x), y)  # by hand: loss = CompetingRatioLoss()(net(x), y)
        loss.backward()
    optimizer.step()
    optimizer.zero_grad()


for _ in range(4):
    run(*small.data())
small.save(net)
