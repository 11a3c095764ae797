import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
xv, yv = small.data(seed=7)
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
parameters = dict(net.named_parameters())
angles = []
for _ in range(5):
    optimizer.zero_grad(set_to_none=False)
    last = torch.autograd.grad(F.cross_entropy(net(xv), yv), parameters.values())
    gradients = torch.autograd.grad(F.cross_entropy(net(x), y), parameters.values())
    angles.append(F.cosine_similarity(last[0].flatten(), gradients[0].flatten(), dim=0).item())
    for p, g in zip(parameters.values(), gradients):
        p.grad = torch.clamp(1 / g.norm(), max=1) * g
    optimizer.step()
small.save(net)
