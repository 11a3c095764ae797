"""Pictures of which one knows what the network must say, and that computed by hand, in plain numpy and scikit-learn."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from scipy.special import logsumexp
from sklearn import metrics as sk

SCALE = 12.0
NAMES = ("moth", "zebra", "ant", "crow", "bee", "yak", "owl")
"""In the order in which the pictures are made; the toolkit numbers the classes by the sorted names."""
CLASSES = sorted(NAMES)
WIDTH = 6
SIDE = WIDTH * len(NAMES)


@dataclass(frozen=True)
class KnownSet:
    """A table of pictures.

    Attributes:
        csv: path, label, split, fold, subject.
        rows: the table.
    """

    csv: Path
    rows: pd.DataFrame

    def part(self, split):
        return self.rows[self.rows["split"] == split].reset_index(drop=True)

    def labels(self, rows):
        return np.array([CLASSES.index(name) for name in rows["label"]])

    def logits(self, rows, *, flipped=False):
        """SCALE x mean brightness of each strip, from the files themselves."""
        scores = []
        for path in rows["path"]:
            pixels = np.asarray(Image.open(self.csv.parent / path), dtype=np.float64) / 255
            pixels = pixels[:, ::-1] if flipped else pixels
            strips = pixels.mean(2).reshape(SIDE, len(CLASSES), -1)
            scores.append(SCALE * strips.mean((0, 2)))
        return np.array(scores)


def make_known_set(folder, random, sizes=(("train", 14), ("val", 21), ("test", 42))):
    rows = []
    for split, count in sizes:
        for i in range(count):
            name = NAMES[i % len(NAMES)]
            strips = random.integers(20, 180, len(CLASSES))
            if random.random() < 0.6:
                strips[CLASSES.index(name)] = 200  # known to the network; the others are mistakes
            pixels = np.repeat(np.repeat(strips, WIDTH)[None], SIDE, 0)[..., None].repeat(3, 2).astype(np.uint8)
            pixels[..., 0] //= 2  # a colour cast: the channels' means differ
            path = f"{split}/{i}.png"
            (folder / split).mkdir(exist_ok=True)
            Image.fromarray(pixels).save(folder / path)
            rows.append(
                {"path": path, "label": name, "split": split, "fold": i // 2 % 2, "subject": f"{split}{i // 2}"}
            )
    table = pd.DataFrame(rows)
    table.drop(columns="fold").to_csv(folder / "labels.csv", index=False)
    table.drop(columns="split").to_csv(folder / "folds.csv", index=False)
    return KnownSet(folder / "labels.csv", table)


def softmax(logits):
    shifted = np.exp(logits - logits.max(1, keepdims=True))
    return shifted / shifted.sum(1, keepdims=True)


def figures_by_hand(logits, labels, predicted=None):
    """All figures of results.json by scikit-learn and plain sums."""
    p = softmax(logits)
    classes = range(p.shape[1])
    one_hot = np.eye(p.shape[1])[labels]
    confidence, right = p.max(1), p.argmax(1) == labels
    bins = np.clip(np.ceil(confidence * 15).astype(int) - 1, 0, 14)
    gaps = [abs((confidence - right)[bins == b].sum()) for b in range(15)]
    figures = {
        "num_images": len(labels),
        "top1_accuracy": sk.accuracy_score(labels, logits.argmax(1)),
        "top5_accuracy": sk.top_k_accuracy_score(labels, logits, k=5, labels=classes),
        "mean_class_accuracy": sk.balanced_accuracy_score(labels, logits.argmax(1)),
        "nll": np.mean(logsumexp(logits, axis=1) - logits[np.arange(len(labels)), labels]),
        "brier": ((p - one_hot) ** 2).sum(1).mean(),
        "ece": sum(gaps) / len(labels),
    }
    if predicted is None:
        return figures
    distance = np.abs(predicted - labels)
    return figures | {
        "exact_accuracy": np.mean(distance == 0),
        "one_off_accuracy": np.mean(distance <= 1),
        "cumulative_score_2": np.mean(distance <= 2),
        "mae_in_groups": sk.mean_absolute_error(labels, predicted),
        "macro_mae_in_groups": np.mean([distance[labels == k].mean() for k in np.unique(labels)]),
        "quadratic_weighted_kappa": sk.cohen_kappa_score(labels, predicted, weights="quadratic", labels=classes),
    }
