import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
import small
from torch import nn
from torch.nn import functional as F

class Base(nn.Module):
    def fit(self, steps):
        self.optimizer = self.configure_optimizers()
        for i in range(steps):
            self.optimizer.zero_grad()
            loss = self.training_step(small.data(), i)
            loss.backward()
            self.optimizer.step()
            self.eval()
            with torch.no_grad():
                self.optimizer.param_groups[0]["lr"] = 0.2 * float(self.validation_step(small.data(seed=5), i))
            self.train()


class Birds(Base):
    def __init__(self):
        super().__init__()
        self.net, self.loss_fn = small.model(), nn.CrossEntropyLoss()

    def configure_optimizers(self):
        return small.optimiser(self.net)

    def _shared(self, batch, loss_fn=None):
        x, y = batch
        return (loss_fn or self.loss_fn)(self.net(x), y)

    def training_step(self, batch, i):
        return self._shared(batch)  # by hand: return self._shared(batch, CompetingRatioLoss())

    def validation_step(self, batch, i):
        return self._shared(batch)


birds = Birds()
birds.fit(4)
small.save(birds.net)
