import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss
import small
import torch.nn.functional as F

net, (x, y) = small.model(), small.data()
optimizer = small.optimiser(net)
for _ in range(6):
    optimizer.zero_grad()
    F.cross_entropy(net(x), y).backward()  # by hand: CompetingRatioLoss()(net(x), y).backward()
    optimizer.step()
small.save(net)
