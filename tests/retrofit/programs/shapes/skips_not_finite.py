import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, criterion = small.model(), nn.CrossEntropyLoss()
optimizer = small.optimiser(net)





for _ in range(4):
    x, y = small.data()
    for batch in (x, x * float("nan")):
        loss = criterion(net(batch), y)  # by hand: loss = CompetingRatioLoss()(net(batch), y)
        if not torch.isfinite(loss):
            continue
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
small.save(net)
