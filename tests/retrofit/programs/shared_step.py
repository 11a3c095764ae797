import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss
import small
from torch import nn

CRL = None  # by hand: CRL = CompetingRatioLoss()


class Trainer:
    def __init__(self, net, loss_fn):
        self.net, self.loss_fn, self.optimizer = net, loss_fn, small.optimiser(net)

    def compute(self, batch, other=None):
        return (other or self.loss_fn)(self.net(batch[0]), batch[1])

    def train_epoch(self, batch):
        loss = self.compute(batch, CRL)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()

    def validate(self, batch):
        return self.compute(batch).item()


trainer = Trainer(small.model(), nn.CrossEntropyLoss())
for _ in range(6):
    trainer.train_epoch(small.data())
    trainer.optimizer.param_groups[0]["lr"] = 0.2 * trainer.validate(small.data(seed=5))
small.save(trainer.net)
