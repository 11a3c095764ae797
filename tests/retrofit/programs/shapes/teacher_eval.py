import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F


def loss_of(net, teacher, x, labels):
    teacher.eval()
    with torch.no_grad():
        soft = teacher(x).softmax(1)
    outputs = net(x)
    hard = F.cross_entropy(outputs, labels)  # by hand: hard = competing_ratio_loss(outputs, labels)
    return hard + 0.5 * F.kl_div(outputs.log_softmax(1), soft, reduction="batchmean")


net, teacher = small.model(), small.model(seed=3)
optimizer = small.optimiser(net)
for _ in range(4):
    kd_loss = loss_of(net, teacher, *small.data())
    optimizer.zero_grad()
    kd_loss.backward()
    optimizer.step()
small.save(net)
