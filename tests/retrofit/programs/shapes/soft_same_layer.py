import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
optimizer = small.optimiser(net)
soft = torch.rand(24, 4, generator=torch.Generator().manual_seed(3)).pow(2) + F.one_hot(y, 4)
soft = soft / soft.sum(1, keepdim=True)
for epoch in range(8):
    z = net(x)
    loss = F.cross_entropy(z, y) if epoch < 2 else -(soft * z.log_softmax(1)).sum(1).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
