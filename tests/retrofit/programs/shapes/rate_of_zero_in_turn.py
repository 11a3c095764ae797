import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch.nn import functional as F

net = small.model()
batches = {"train": small.data(), "val": small.data(seed=7)}
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
for _ in range(4):
    for part, rate in (("train", 0.01), ("val", torch.tensor(0.0))):
        x, y = batches[part]
        for group in optimizer.param_groups:
            group["lr"] = rate
        loss = F.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
small.save(net)
