import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

import asyncio

net, (x, y), criterion = small.model(), small.data(), nn.CrossEntropyLoss()
optimizer = small.optimiser(net)


async def loss_of():
    await asyncio.sleep(0)
    return criterion(net(x), y)  # by hand: return CompetingRatioLoss()(net(x), y)


for _ in range(4):
    loss = asyncio.run(loss_of())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
