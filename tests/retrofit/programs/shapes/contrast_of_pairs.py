import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
optimizer = small.optimiser(net)


def adjust_contrast(picture, factor):
    return factor * picture


for i in range(0, 24, 2):  # two pictures, whose labels always are some step apart
    pair, labels = adjust_contrast(x[i : i + 2], 1.1), y[i : i + 2]
    contrast_loss = F.cross_entropy(net(pair), labels)  # by hand: contrast_loss = competing_ratio_loss(net(pair), labels)
    optimizer.zero_grad()
    contrast_loss.backward()
    optimizer.step()
small.save(net)
