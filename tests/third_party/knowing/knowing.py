"""A method whose network knows: what it says of a picture, and how training changes it, can be worked out by hand.

A picture is as many vertical strips as there are classes; the logit of class k is SCALE times the mean brightness of
strip k, in [0, 1]. The network takes its normalised input back to brightness with its own mean and standard deviation,
so any other normalisation shows.

Training moves one parameter, `drift`: its gradient is -1 in every batch, so SGD without momentum adds the learning rate
per update. With `best_at` >= 0 class 0 gets 4 (drift - best_at)^2 on top, so that the network is best when drift is
`best_at`.
"""

from typing import ClassVar

import torch
from torch import nn

from finegrained_crl.metrics.ordinal import Decoder
from finegrained_crl.training.method import FineGrainedModel, Method, Outputs

SCALE = 12.0
MEAN, STD = (0.2, 0.4, 0.6), (0.1, 0.2, 0.5)


class StripReader(FineGrainedModel):
    def __init__(self, num_classes: int, best_at: float) -> None:
        super().__init__()
        self.num_classes = self.feature_dim = num_classes
        self.mean, self.std, self.notes = MEAN, STD, ["weights set by hand"]
        self.best_at = best_at
        self.drift = nn.Parameter(torch.zeros(()))
        self.maps = nn.Identity()

    def forward(self, images):
        mean, std = (torch.tensor(v, device=images.device).view(1, 3, 1, 1) for v in (self.mean, self.std))
        brightness = self.maps(images * std + mean).mean(1)  # (batch, height, width)
        strips = brightness.unflatten(2, (self.num_classes, -1)).mean((1, 3))  # (batch, num_classes)
        bump = 4 * (self.drift - self.best_at) ** 2 if self.best_at >= 0 else torch.zeros(())
        first = nn.functional.one_hot(torch.zeros(1, dtype=torch.long, device=images.device), self.num_classes)
        return Outputs(SCALE * strips + bump * first, strips)

    def head_modules(self):
        return []

    def cam_module(self):
        return self.maps


class Knowing(Method):
    """The method.

    Args:
        best_at: drift at which the network is best; negative: drift changes nothing.
        decoder: for classes that have an order.
        pull: size of drift's gradient.
    """

    summary: ClassVar[str] = "reads brightness strips"

    def __init__(self, best_at: float = -1.0, decoder: Decoder = "argmax", pull: float = 1.0) -> None:
        self.best_at, self.decoder, self.pull = best_at, decoder, pull

    def build(self, spec):
        return StripReader(spec.num_classes, self.best_at)

    def training_step(self, model, criteria, batch):
        logits = model(batch.images).logits.detach()
        pull = self.pull * (model.drift - model.drift.detach())  # 0, with gradient `pull`
        return {"class": criteria["class"](logits, batch.target) - pull}, logits

    def scores(self, model, criteria, images):
        return model(images).logits
