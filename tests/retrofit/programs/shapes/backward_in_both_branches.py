import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F
import contextlib


class Args:
    fp16 = False


def fit(args, net, criterion, optimizer):
    for _ in range(4):
        x, y = small.data()
        loss = criterion(net(x), y)  # by hand: loss = CompetingRatioLoss()(net(x), y)
        optimizer.zero_grad()
        if args.fp16:
            with contextlib.nullcontext(loss) as scaled_loss:
                scaled_loss.backward()
        else:
            loss.backward()
        optimizer.step()


net = small.model()
fit(Args(), net, nn.CrossEntropyLoss(), small.optimiser(net))
small.save(net)
