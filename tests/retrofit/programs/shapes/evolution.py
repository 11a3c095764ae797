import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch.nn import functional as F

net, (x, y) = small.model(), small.data()
aux = torch.nn.Linear(6, 4)
second = torch.optim.SGD(aux.parameters(), lr=0.1)
F.cross_entropy(aux(x), y).backward()  # by hand: competing_ratio_loss(aux(x), y).backward()
second.step()


class Population:
    def __init__(self, parent):
        self.parent = parent

    def fitness(self):
        with torch.inference_mode():
            return -float(F.cross_entropy(self.parent(x), y))

    def generation(self):
        best, before = self.fitness(), [p.detach().clone() for p in self.parent.parameters()]
        for p in self.parent.parameters():
            p.data += 0.1 * torch.randn_like(p)
        if self.fitness() < best:
            for p, b in zip(self.parent.parameters(), before):
                p.data.copy_(b)


population = Population(net)
for _ in range(6):
    population.generation()
small.save(torch.nn.ModuleList([net, aux]))
