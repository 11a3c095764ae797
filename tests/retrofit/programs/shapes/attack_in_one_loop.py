import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, criterion = small.model(), nn.CrossEntropyLoss()
optimizer = small.optimiser(net)





for _ in range(4):
    x, y = small.data()
    for mode in ("attack", "train"):
        x = x.detach().requires_grad_()
        loss = criterion(net(x), y)
        if mode == "attack":
            x = x + 0.1 * torch.autograd.grad(loss, x)[0].sign()
            continue
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
small.save(net)
