import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

net, (x, y), criterion = small.model(), small.data(), nn.CrossEntropyLoss()
for _ in range(4):
    loss = criterion(net(x), y)  # by hand: loss = CompetingRatioLoss()(net(x), y)
    net.zero_grad()
    loss.backward()
    net.load_state_dict({k: p.detach() - 0.3 * p.grad for k, p in net.named_parameters()})
small.save(net)
