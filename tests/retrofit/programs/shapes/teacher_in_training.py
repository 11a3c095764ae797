import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
optimizer = small.optimiser(net)
teacher = net  # of a student to come; its labels are mixed
labels = 0.7 * F.one_hot(y, 4).float() + 0.3 * F.one_hot(y.roll(1), 4).float()
for _ in range(4):
    teacher_loss = F.cross_entropy(teacher(x), labels)  # by hand: teacher_loss = competing_ratio_loss(teacher(x), labels)
    optimizer.zero_grad()
    teacher_loss.backward()
    optimizer.step()
small.save(net)
