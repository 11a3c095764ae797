import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss
import small
from torch import nn


def validate(net, criterion, x, y):
    net.eval()
    loss = criterion(net(x), y)
    assert loss.requires_grad
    net.train()
    return loss.item()


net, (x, y), held_out = small.model(), small.data(), small.data(seed=5)
criterion, optimizer = nn.CrossEntropyLoss(), small.optimiser(net)
trained = nn.CrossEntropyLoss()  # by hand: trained = CompetingRatioLoss()
group = optimizer.param_groups[0]
for _ in range(6):
    loss = trained(net(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    group["lr"] = 0.1 * validate(net, criterion, *held_out)  # the value of the validation loss steers the training
    net.eval()
    loss = criterion(net(held_out[0]), held_out[1])
    group["lr"] += 0.01 * loss.item()
    net.train()
small.save(net)
