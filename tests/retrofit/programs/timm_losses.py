import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss
import small
from timm.loss import LabelSmoothingCrossEntropy, SoftTargetCrossEntropy

net, (x, y) = small.model(), small.data()
optimizer = small.optimiser(net)
smooth = LabelSmoothingCrossEntropy(0.1)  # by hand: smooth = CompetingRatioLoss(label_smoothing=0.1)
soft = SoftTargetCrossEntropy()  # by hand: soft = CompetingRatioLoss()
for _ in range(6):
    loss = smooth(net(x), y) + soft(net(x), torch.eye(4)[y] * 0.8 + 0.05)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
small.save(net)
