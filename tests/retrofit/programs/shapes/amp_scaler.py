import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, criterion = small.model(), nn.CrossEntropyLoss()
optimizer = small.optimiser(net)


scaler = torch.amp.GradScaler("cpu")


for _ in range(4):
    x, y = small.data()
    loss = criterion(net(x), y)  # by hand: loss = CompetingRatioLoss()(net(x), y)
    optimizer.zero_grad()
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
small.save(net)
