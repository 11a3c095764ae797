import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch.nn import functional as F

net, (x, y), teacher = small.model(), small.data(), small.model(seed=5)
optimizer = small.optimiser(net)
for _ in range(4):
    z = net(x)
    loss = F.cross_entropy(z, y)  # by hand: loss = competing_ratio_loss(z, y)
    optimizer.zero_grad()
    loss.backward(retain_graph=True)
    with torch.no_grad():
        g = (z.softmax(1) - teacher(x).softmax(1)) / len(y)
    z.backward(0.5 * g)
    optimizer.step()
small.save(net)
