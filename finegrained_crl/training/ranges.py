"""What each setting of a recipe may be: a range per number, and what excludes what."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from finegrained_crl.errors import FinegrainedError

if TYPE_CHECKING:
    from finegrained_crl.training.recipe import Recipe


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`; an end that is not `closed` is left out."""

    low: float
    high: float = math.inf
    low_closed: bool = True
    high_closed: bool = True

    def __contains__(self, value: float) -> bool:
        # Comparisons with NaN are false, so NaN is in no range.
        above = value >= self.low if self.low_closed else value > self.low
        below = value <= self.high if self.high_closed else value < self.high
        return above and below and math.isfinite(value)

    def __str__(self) -> str:
        if math.isinf(self.high):
            return f"at least {self.low:g}" if self.low_closed else f"above {self.low:g}"
        opening = "[" if self.low_closed else "("
        closing = "]" if self.high_closed else ")"
        return f"in {opening}{self.low:g}, {self.high:g}{closing}"


NOT_NEGATIVE = Range(0)
COUNT = Range(1)
SHARE = Range(0, 1, high_closed=False)
PROBABILITY = Range(0, 1)

RANGES = {
    "val_fraction": Range(0, 0.5),
    "pictures_per_class": NOT_NEGATIVE,
    "drop_rate": SHARE,
    "drop_path_rate": SHARE,
    "label_smoothing": SHARE,
    "mixup": NOT_NEGATIVE,
    "cutmix": NOT_NEGATIVE,
    "image_size": Range(8, 8192),
    "resize_ratio": Range(1, 16),
    "eval_resize_ratio": Range(1, 16),
    "crop_scale": Range(0, 1, low_closed=False),
    "pad": Range(0, 8192),
    "hflip": PROBABILITY,
    "rotate": Range(0, 180),
    "color_jitter": PROBABILITY,
    "erase": PROBABILITY,
    "epochs": COUNT,
    "batch_size": COUNT,
    "accumulate": COUNT,
    "lr": NOT_NEGATIVE,
    "head_lr": NOT_NEGATIVE,
    "momentum": SHARE,
    "weight_decay": NOT_NEGATIVE,
    "decay_epochs": COUNT,
    "decay_rate": Range(0, 1, low_closed=False),
    "warmup_epochs": NOT_NEGATIVE,
    "min_lr": NOT_NEGATIVE,
    "clip_grad": NOT_NEGATIVE,
    "ema": SHARE,
    "early_stopping": NOT_NEGATIVE,
    "test_every": NOT_NEGATIVE,
    "fold": NOT_NEGATIVE,
    "seed": Range(0, 2**32 - 1),
}
"""Setting -> range of its value, or of each of its values where it is a list."""


def check_recipe(recipe: Recipe) -> None:
    """Raise one FinegrainedError that lists every setting out of range or in conflict with another."""
    problems = [*_out_of_range(recipe), *_without_range(recipe), *_conflicts(recipe)]
    if problems:
        raise FinegrainedError("; ".join(problems))


def flag(name: str) -> str:
    """A setting as it is typed."""
    return "--" + name.replace("_", "-")


def _out_of_range(recipe: Recipe) -> Iterator[str]:
    for name, allowed in RANGES.items():
        value = getattr(recipe, name)
        numbers = value if isinstance(value, list) else [value]
        wrong = [number for number in numbers if number is not None and number not in allowed]
        if wrong:
            yield f"{flag(name)} must be {allowed}, got {wrong[0]}"


def _without_range(recipe: Recipe) -> Iterator[str]:
    """Numbers that no range speaks of must still be numbers; texts in a list must say something."""
    for field in dataclasses.fields(recipe):
        value: Any = getattr(recipe, field.name)
        if field.name not in RANGES and isinstance(value, float) and not math.isfinite(value):
            yield f"{flag(field.name)} must be a finite number, got {value}"
        if isinstance(value, list) and any(entry == "" for entry in value):
            yield f"{flag(field.name)}: one of its values is empty"


def _conflicts(r: Recipe) -> Iterator[str]:
    if not r.data:
        yield "--data is missing: give the folder (or CSV file) that holds the data set"
    if r.split is not None and r.fold is not None:
        yield "give --split or --fold, not both"
    if r.early_stopping > 0 and r.val_fraction == 0:
        yield ("--early-stopping needs a validation part: add --val-fraction 0.1 (the test part is never used to stop)")
    if (r.mixup > 0 or r.cutmix > 0) and r.batch_size % 2 == 1:
        yield f"mixup and CutMix pair the images of a batch: --batch-size must be even, got {r.batch_size}"
    if r.pad > 0 and r.crop_scale < 1:
        yield "--pad is for a plain random crop: add --crop-scale 1"
    if r.label_smoothing > 0 and r.loss.name == "smoothing":
        yield "--label-smoothing and --loss smoothing would smooth twice: give one of them"
    if r.schedule == "step" and len(r.decay_epochs) != 1:
        yield "--schedule step needs one --decay-epochs number, the period"
    if r.schedule == "multistep" and not r.decay_epochs:
        yield "--schedule multistep needs --decay-epochs, e.g. '[80]'"
    if r.warmup_epochs >= r.epochs > 0:
        yield f"--warmup-epochs {r.warmup_epochs} must be less than --epochs {r.epochs}"
