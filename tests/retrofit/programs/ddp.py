import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss
import os

import small
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

dist.init_process_group("gloo")
rank = dist.get_rank()
net, (x, y) = DistributedDataParallel(small.model()), small.data()
optimizer, criterion = small.optimiser(net), nn.CrossEntropyLoss()  # by hand: optimizer, criterion = small.optimiser(net), CompetingRatioLoss()
assert int(os.environ["WORLD_SIZE"]) == 2
for _ in range(6):
    loss = criterion(net(x[rank::2]), y[rank::2])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
if rank == 0:
    small.save(net.module)
dist.barrier()
dist.destroy_process_group()
