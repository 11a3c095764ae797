"""Heads that differ in loss, learning rate and weight decay, trained at once on the same batches.

The weights of k linear heads with c classes are the columns of one matrix, (features, k c): one product gives the
logits of all. Each head's loss is its own mean over the batch, and their sum is what is differentiated, so no head's
gradient holds anything of another's. Heads of one learning rate and weight decay are one parameter of a torch
optimiser, which works element by element: every head ends where it would end alone, up to the rounding of a larger
product. Losses that bring a classifier of their own stand beside, a module each.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from finegrained_crl.errors import FinegrainedError
from finegrained_crl.probes.owners import Owners, criterion_of, needs_of
from finegrained_crl.training.recipe import Component
from finegrained_crl.training.targets import smooth_targets

OPTIMIZERS = ("sgd", "momentum", "adamw")


@dataclass(frozen=True)
class Head:
    """What one head is trained with."""

    loss: Component
    lr: float
    weight_decay: float


@dataclass(frozen=True)
class Training:
    """What all heads share.

    Attributes:
        num_classes: outputs.
        hidden: width of the hidden layer; 0 for a linear head.
        optimizer: "sgd" (Nesterov), "momentum" or "adamw".
        momentum: of the first two.
        schedule: "cosine" or "constant", per update.
        warmup: updates of linear warm-up.
        updates: in all.
        label_smoothing: share of each label spread over all classes.
        seed: of the first weights, the same for all heads.
    """

    num_classes: int
    hidden: int
    optimizer: str
    momentum: float
    schedule: str
    warmup: int
    updates: int
    label_smoothing: float
    seed: int

    def rate(self, update: int) -> float:
        """Factor of the learning rate at an update, from 0."""
        if update < self.warmup:
            return (update + 1) / self.warmup
        if self.schedule == "constant":
            return 1.0
        progress = (update - self.warmup) / max(1, self.updates - self.warmup)
        return 0.5 * (1 + math.cos(math.pi * progress))


class Bank(nn.Module):
    """Heads of one learning rate and weight decay.

    Args:
        count: number of heads.
        features: width of the input.
        training: what they share.
    """

    def __init__(self, count: int, features: int, training: Training) -> None:
        super().__init__()
        self.count, self.training_ = count, training
        first = first_weights(features, training)
        hidden = training.hidden
        if hidden:
            self.inner = nn.Parameter(first["inner.weight"].T.repeat(1, self.count).contiguous())
            self.inner_bias = nn.Parameter(first["inner.bias"].repeat(self.count))
            self.weight = nn.Parameter(first["weight"].T.repeat(self.count, 1, 1).contiguous())
            self.bias = nn.Parameter(first["bias"].repeat(self.count, 1, 1))
        else:
            self.weight = nn.Parameter(first["weight"].T.repeat(1, self.count).contiguous())
            self.bias = nn.Parameter(first["bias"].repeat(self.count))

    def forward(self, features: Tensor) -> Tensor:
        """Logits of all heads, (batch, heads, classes)."""
        hidden, classes = self.training_.hidden, self.training_.num_classes
        if not hidden:
            return torch.addmm(self.bias, features, self.weight).view(-1, self.count, classes)
        inner = F.relu(torch.addmm(self.inner_bias, features, self.inner)).view(-1, self.count, hidden)
        return torch.baddbmm(self.bias, inner.transpose(0, 1), self.weight).transpose(0, 1)

    def decayed(self) -> list[nn.Parameter]:
        """Matrices; biases are not decayed, as in fine-tuning."""
        return [self.weight, *([self.inner] if self.training_.hidden else [])]

    def others(self) -> list[nn.Parameter]:
        """Biases."""
        return [self.bias, *([self.inner_bias] if self.training_.hidden else [])]


def first_weights(features: int, training: Training) -> dict[str, Tensor]:
    """The weights that `nn.Linear` layers begin with, a function of the seed alone: all heads begin at one point."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(training.seed)
        layers = {"": nn.Linear(training.hidden or features, training.num_classes)}
        if training.hidden:
            layers["inner."] = nn.Linear(features, training.hidden)
        return {f"{name}{key}": tensor for name, layer in layers.items() for key, tensor in layer.state_dict().items()}


def train_heads(
    heads: Sequence[Head], features: int, training: Training, batches: Callable[[], Iterator[tuple[Tensor, Tensor]]]
) -> Callable[[Tensor], Tensor]:
    """Train heads together.

    Args:
        heads: any number.
        features: width of the input.
        training: what they share.
        batches: gives `training.updates` batches: float (batch, features), int64 (batch,).
    Returns:
        a function from features (n, features) to logits (n, heads, classes), in the order of `heads`.
    Raises:
        FinegrainedError: a loss that is none of a head, or an optimiser that does not work element by element.
    """
    together = HeadsTogether(heads, features, training)
    optimizer = _optimizer(together.groups(), training)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, training.rate)
    for inputs, labels in batches():
        optimizer.zero_grad(set_to_none=True)
        together.loss(inputs, labels).backward()
        optimizer.step()
        schedule.step()
    return together.scores


class HeadsTogether:
    """All heads of a block: those on logits as banks, the others as modules.

    Args:
        heads: any number.
        features: width of the input.
        training: what they share.
    """

    def __init__(self, heads: Sequence[Head], features: int, training: Training) -> None:
        self.training = training
        banks: dict[tuple[float, float], list[int]] = {}
        owners: dict[tuple[float, float], list[int]] = {}
        # Thousands of heads share a few losses.
        for loss in {str(head.loss): head.loss for head in heads}.values():
            check_loss(
                loss,
                training.num_classes,
                features,
                hidden=training.hidden,
                label_smoothing=training.label_smoothing,
            )
        for i, head in enumerate(heads):
            kind = owners if needs_of(head.loss) == "classifier" else banks
            kind.setdefault((head.lr, head.weight_decay), []).append(i)
        self.banks = {key: Bank(len(places), features, training) for key, places in banks.items()}
        self.owners = {
            key: Owners([heads[i].loss for i in places], training.num_classes, features, training.seed)
            for key, places in owners.items()
        }
        on_logits = [i for places in banks.values() for i in places]
        self._losses = Losses([heads[i].loss for i in on_logits], training.num_classes, features)
        order = [*on_logits, *(i for places in owners.values() for i in places)]
        self._back = torch.tensor(order).argsort()

    def loss(self, inputs: Tensor, labels: Tensor) -> Tensor:
        """The sum over heads of each one's mean over the batch."""
        terms = [owner(inputs, labels) for owner in self.owners.values()]
        if self.banks:
            terms.append(self._losses(self._logits(inputs), _target(labels, self.training)))
        return torch.stack(terms).sum()

    def scores(self, inputs: Tensor) -> Tensor:
        """What each head decides by, (n, heads, classes), in the order of `heads`."""
        with torch.inference_mode():
            parts = [self._logits(inputs)] if self.banks else []
            parts += [owner.scores(inputs) for owner in self.owners.values()]
            return torch.cat(parts, dim=1)[:, self._back]

    def groups(self) -> list[dict[str, Any]]:
        """The optimiser's: matrices are decayed, biases are not, as in fine-tuning."""
        modules: list[tuple[tuple[float, float], Bank | Owners]] = [*self.banks.items(), *self.owners.items()]
        groups: list[dict[str, Any]] = []
        for (lr, weight_decay), module in modules:
            groups.append({"params": module.decayed(), "lr": lr, "weight_decay": weight_decay})
            groups.append({"params": module.others(), "lr": lr, "weight_decay": 0.0})
        return groups

    def _logits(self, inputs: Tensor) -> Tensor:
        return torch.cat([bank(inputs) for bank in self.banks.values()], dim=1)


def check_loss(loss: Component, num_classes: int, features: int, *, hidden: int, label_smoothing: float) -> None:
    """Refuse what is no loss of a head.

    Raises:
        FinegrainedError: a loss on features beside logits, with weights beside a classifier, or with a schedule of its
            own; one with a classifier where there is a hidden layer, or smoothed labels.
    """
    needs = needs_of(loss)
    if needs == "features":
        raise FinegrainedError(f"--loss {loss.name} needs features: a probe trains losses on logits alone, e.g. crl")
    criterion = criterion_of(loss, num_classes, features)
    if needs == "logits" and any(True for _ in criterion.parameters()):
        raise FinegrainedError(f"--loss {loss.name} has weights of its own: a probe can't share them between heads")
    if hasattr(criterion, "end_epoch"):
        raise FinegrainedError(f"--loss {loss.name} changes from epoch to epoch, and a probe has none: fine-tune it")
    if needs == "classifier" and hidden:
        raise FinegrainedError(f"--loss {loss.name} brings its own classifier: --hidden 0")
    if needs == "classifier" and label_smoothing:
        raise FinegrainedError(f"--loss {loss.name} takes no smoothed labels: --label-smoothing 0")


def bytes_per_head(features: int, training: Training) -> int:
    """Memory that one more head costs: weights, gradients and the optimiser's state."""
    numbers = features * (training.hidden or training.num_classes)
    numbers += training.hidden * training.num_classes
    states = 2 if training.optimizer == "adamw" else 1
    return 4 * numbers * (2 + states)


class Losses:
    """The losses of heads that stand side by side.

    Args:
        losses: of each head.
        num_classes: of each head.
        features: width of the input.
    """

    def __init__(self, losses: Sequence[Component], num_classes: int, features: int) -> None:
        places: dict[str, list[int]] = {}
        for i, loss in enumerate(losses):
            places.setdefault(str(loss), []).append(i)
        self.parts = [(criterion_of(losses[of[0]], num_classes, features), torch.tensor(of)) for of in places.values()]

    def __call__(self, logits: Tensor, target: Tensor) -> Tensor:
        """The sum over heads of each one's mean over the batch.

        Args:
            logits: float, (batch, heads, classes).
            target: int64 (batch,) or float (batch, classes).
        """
        terms = []
        for criterion, places in self.parts:
            heads = len(places)
            # One call for all heads of a loss: its mean over heads and pictures, times the heads, is their sum.
            flat = logits[:, places].transpose(0, 1).reshape(-1, logits.shape[-1])
            repeated = target.repeat(heads) if target.ndim == 1 else target.repeat(heads, 1)
            terms.append(criterion(flat, repeated) * heads)
        return torch.stack(terms).sum()


def _target(labels: Tensor, training: Training) -> Tensor:
    if not training.label_smoothing:
        return labels
    return smooth_targets(labels, training.num_classes, training.label_smoothing)


def _optimizer(groups: list[dict[str, Any]], training: Training) -> torch.optim.Optimizer:
    if training.optimizer == "adamw":
        return torch.optim.AdamW(groups)
    if training.optimizer not in OPTIMIZERS:
        raise FinegrainedError(f"--optimizer {training.optimizer}: a probe knows {', '.join(OPTIMIZERS)}")
    return torch.optim.SGD(groups, lr=0.0, momentum=training.momentum, nesterov=training.optimizer == "sgd")
