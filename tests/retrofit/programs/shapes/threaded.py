import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F
import threading

net, criterion = small.model(), nn.CrossEntropyLoss()
optimizer = small.optimiser(net)


def work():
    x, y = small.data()
    loss = criterion(net(x), y)  # by hand: loss = CompetingRatioLoss()(net(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


for _ in range(4):
    t = threading.Thread(target=work)
    t.start()
    t.join()
small.save(net)
