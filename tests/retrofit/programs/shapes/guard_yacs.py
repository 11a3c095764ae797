import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F


class Node(dict):
    def __getattr__(self, name):
        return self[name]

net, criterion = small.model(), nn.CrossEntropyLoss()
optimizer = small.optimiser(net)


def epoch(cfg, x, y):
    loss = criterion(net(x), y)  # by hand: loss = (CompetingRatioLoss() if cfg.SOLVER.TRAIN else criterion)(net(x), y)
    if cfg.SOLVER.TRAIN:
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return loss.item()


for _ in range(4):
    epoch(Node(SOLVER=Node(TRAIN=True)), *small.data())
    optimizer.param_groups[0]["lr"] = 0.2 * epoch(Node(SOLVER=Node(TRAIN=False)), *small.data(seed=5))
small.save(net)
