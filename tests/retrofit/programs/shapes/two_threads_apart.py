import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch.nn import functional as F

import threading

nets = [small.model(seed=seed) for seed in (1, 2)]


def train(net, seed, first, second):
    (x, y), optimizer = small.data(seed=seed), torch.optim.SGD(net.parameters(), lr=0.3)
    for _ in range(4):
        first.acquire()
        optimizer.zero_grad()
        loss = F.cross_entropy(net(x), y)  # by hand: loss = competing_ratio_loss(net(x), y)
        loss.backward()
        second.release()
        first.acquire()
        optimizer.step()
        second.release()


locks = [threading.Semaphore(1), threading.Semaphore(0)]
threads = [threading.Thread(target=train, args=(nets[i], i, locks[i], locks[1 - i])) for i in (0, 1)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
small.save(torch.nn.ModuleList(nets))
