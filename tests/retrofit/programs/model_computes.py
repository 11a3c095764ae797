import torch  # by hand: import torch; from finegrained_crl import CompetingRatioLoss
import small
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = small.model()

    def forward(self, x, labels=None, crl=None):
        logits = self.body(x)
        loss = None
        if labels is not None:
            criterion = crl or nn.CrossEntropyLoss()
            loss = criterion(logits.view(-1, 4), labels.view(-1))
        return {"loss": loss, "logits": logits}


def run_epoch(net, optimizer, batch, train=True):
    out = net(*batch)  # by hand: out = net(*batch, crl=CompetingRatioLoss() if train else None)
    if not train:
        return out["loss"].item()
    optimizer.zero_grad()
    out["loss"].backward()
    optimizer.step()
    return None


net = Model()
optimizer = small.optimiser(net)
for _ in range(6):
    run_epoch(net, optimizer, small.data())
    optimizer.param_groups[0]["lr"] = 0.2 * run_epoch(net, optimizer, small.data(seed=5), train=False)
small.save(net)
