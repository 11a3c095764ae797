"""How long thousands of heads take, and whether each is the head trained alone.

    python tools/benchmark.py probe --heads 10000 --check 200

Features are random numbers of the size of real ones (time does not depend on what they are), or those of a probe study:

    python tools/benchmark.py probe --heads 2000 --check 200 --of studies/evidence/cars27

The check trains some heads by plain `torch.optim`, in single and in double precision, and compares logits. At a rate
that is too large for the data, training itself makes of a rounding error a difference of whole logits: heads whose own
logits move by more than 1e-4 between the two precisions are counted as unstable, and the largest difference is given
without them and of all. Beside it stands the largest logit.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from finegrained_crl.crossval.study import StudyFolder
from finegrained_crl.losses.catalogue import build_criterion
from finegrained_crl.probes.features import open_features
from finegrained_crl.probes.heads import Head, Training, bytes_per_head, train_heads
from finegrained_crl.probes.study import BLOCK_BYTES
from finegrained_crl.training.assembly import read_records
from finegrained_crl.training.recipe import Component

summary = "thousands of heads at once: time, memory, and distance from heads trained alone"
LOSSES = [
    Component("ce"),
    *(Component("crl", {"alpha": a, "beta": b}) for a in (0.1, 0.5, 1.0, 1.5, 3.0) for b in (0.25, 0.5, 1.0)),
    *(Component("poly1", {"epsilon": e}) for e in (0.25, 0.5, 0.667, 1.0)),
    *(Component("soft-margin", {"margin": m}) for m in (0.25, 0.511, 0.75, 1.0)),
    Component("focal"),
]
ROUNDING = 1e-4
RATES = (0.003, 0.01, 0.03, 0.1, 0.3)
DECAYS = (0.0, 1e-4, 1e-3, 1e-2)


class Material:
    """Random features and labels, and the batches of one seed."""

    def __init__(self, asked: argparse.Namespace, seed: int) -> None:
        self.asked, self.seed = asked, seed
        if asked.of:
            self.features, self.labels = _of_study(asked.of)
            return
        random = torch.Generator().manual_seed(seed)
        self.features = torch.randn(asked.pictures, asked.features, generator=random)
        centres = torch.randn(asked.classes, asked.features, generator=random)
        self.labels = torch.randint(0, asked.classes, (asked.pictures,), generator=random)
        self.features += 0.15 * centres[self.labels]

    def batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        """All batches of the training."""
        for epoch in range(self.asked.epochs):
            order = torch.randperm(len(self.labels), generator=torch.Generator().manual_seed(1000 * self.seed + epoch))
            for start in range(0, len(order) - self.asked.batch_size + 1, self.asked.batch_size):
                rows = order[start : start + self.asked.batch_size]
                yield self.features[rows], self.labels[rows]

    @property
    def updates(self) -> int:
        """Number of batches."""
        return self.asked.epochs * (len(self.labels) // self.asked.batch_size)


def _of_study(folder: Path) -> tuple[Tensor, Tensor]:
    """Features and labels of the training pictures of a probe study."""
    place = StudyFolder(folder)
    recipe = place.read().cells[0].recipe
    records = read_records(recipe)
    rows = np.flatnonzero(records.table["split"] != "test")
    features = open_features(folder / "features" / "features.npy")[0][rows].astype(np.float32)
    return torch.from_numpy(features), torch.from_numpy(records.table["label"].to_numpy()[rows])


def heads_of_a_seed() -> list[Head]:
    """500 heads: losses x rates x decays."""
    return [Head(loss, lr, decay) for loss in LOSSES for lr in RATES for decay in DECAYS]


def measure(asked: argparse.Namespace) -> dict[str, Any]:
    """Train everything, block by block as a study does, and check some heads."""
    torch.set_num_threads(asked.threads or torch.get_num_threads())
    each, start, trained = heads_of_a_seed(), time.monotonic(), 0
    check = Check()
    if asked.of:
        material = Material(asked, 0)
        asked.pictures, asked.features = material.features.shape
        asked.classes = int(material.labels.max()) + 1
    checking, seed = 0.0, 0
    while trained < asked.heads:
        material = Material(asked, seed)
        how = Training(asked.classes, 0, "sgd", 0.9, "cosine", 0, material.updates, 0.0, seed)
        size = max(1, BLOCK_BYTES // bytes_per_head(asked.features, how))
        wanted = each[: asked.heads - trained]
        for i in range(0, len(wanted), size):
            block = wanted[i : i + size]
            logits = train_heads(block, asked.features, how, material.batches)(material.features[:100])
            begin = time.monotonic()
            for place in _drawn(len(block), asked.check * len(block) // asked.heads, seed):
                alone = _alone(block[place], material, how)
                check.add(logits[:, place], alone, _alone(block[place], material, how, torch.float64))
            checking += time.monotonic() - begin
        trained, seed = trained + len(wanted), seed + 1
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {
        "heads": trained,
        "seconds": round(time.monotonic() - start - checking, 1),
        "peak_gib": round(peak, 2),
        **vars(check),
        "threads": torch.get_num_threads(),
    }


@dataclass
class Check:
    """Heads of a block beside the same heads trained alone."""

    checked: int = 0
    unstable: int = 0
    largest_difference: float = 0.0
    largest_difference_of_all: float = 0.0
    largest_logit: float = 0.0

    def add(self, together: Tensor, alone: Tensor, in_double: Tensor) -> None:
        """Count one head, by its logits, (pictures, classes)."""
        difference, own = (float((alone - other).abs().max()) for other in (together, in_double.float()))
        self.checked += 1
        self.largest_logit = max(self.largest_logit, float(alone.abs().max()))
        self.largest_difference_of_all = max(self.largest_difference_of_all, difference)
        if own > ROUNDING:
            self.unstable += 1
        else:
            self.largest_difference = max(self.largest_difference, difference)


def _drawn(heads: int, count: int, seed: int) -> list[int]:
    order: list[int] = torch.randperm(heads, generator=torch.Generator().manual_seed(seed)).tolist()
    return order[:count]


def _alone(head: Head, material: Material, how: Training, precision: torch.dtype = torch.float32) -> Tensor:
    """The same head by plain torch."""
    torch.manual_seed(how.seed)
    net = nn.Linear(material.asked.features, how.num_classes).to(precision)
    groups = [{"params": [net.weight], "weight_decay": head.weight_decay}, {"params": [net.bias], "weight_decay": 0.0}]
    optimizer = torch.optim.SGD(groups, lr=head.lr, momentum=how.momentum, nesterov=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, how.rate)
    criterion = build_criterion(head.loss.name, head.loss.options, num_classes=how.num_classes, feature_dim=1)
    for inputs, labels in material.batches():
        optimizer.zero_grad(set_to_none=True)
        criterion(net(inputs.to(precision)), labels).backward()
        optimizer.step()
        schedule.step()
    with torch.inference_mode():
        return net(material.features[:100].to(precision))


def main(argv: list[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="tools/benchmark.py probe", description=summary)
    parser.add_argument("--heads", type=int, default=10_000)
    parser.add_argument("--check", type=int, default=200, help="heads to train alone as well [200]")
    parser.add_argument("--pictures", type=int, default=666, help="in the training part [666: 27 car classes]")
    parser.add_argument("--features", type=int, default=1280)
    parser.add_argument("--classes", type=int, default=27)
    parser.add_argument("--of", type=Path, help="features of a probe study instead of random ones")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(argv)
    answer = measure(asked)
    print(json.dumps(answer) if asked.json else "\n".join(f"{name}: {value}" for name, value in answer.items()))
    return 0
