import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch.nn import functional as F

import threading

nets = [small.model(seed=seed) for seed in (1, 2)]
turns = threading.Barrier(2)


def train(net, seed):
    (x, y), optimizer = small.data(seed=seed), torch.optim.SGD(net.parameters(), lr=0.3)
    for _ in range(4):
        loss = F.cross_entropy(net(x), y)  # by hand: loss = competing_ratio_loss(net(x), y)
        turns.wait()
        optimizer.zero_grad()
        turns.wait()
        loss.backward()
        turns.wait()
        optimizer.step()


threads = [threading.Thread(target=train, args=(net, seed)) for seed, net in enumerate(nets)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
small.save(torch.nn.ModuleList(nets))
