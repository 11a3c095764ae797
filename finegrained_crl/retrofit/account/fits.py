"""Is a gradient at logits that of a cross-entropy, k (p - t) per row? Its targets t tell it from other losses.

k > 0, and t is one class, one class and the rest alike, or what rows of one class share. A teacher's scores are
another row for each picture (as long as it is there once), so that distillations do not fit, nor do entropies.
"""

from __future__ import annotations

import torch
from torch import Tensor

EVIDENCE = 12  # entries beyond those of three classes, which fit by chance
CLOSE = 1e-3  # to that of a cross-entropy, as a share of the target's entry
HALF_CLOSE = 0.05  # in half precision, as a share of the largest other entry
BALANCED = {torch.float16: 1e-2, torch.bfloat16: 2e-2}  # a row's sum, as a share of the target's entry
FITTING = 0.9  # of the rows, in half precision; of a confident row little is left in its digits
PAIRS = 48  # rows whose pairs are compared


def is_of_cross_entropy(gradient: Tensor, p: Tensor) -> bool:
    """Whether each row is k (p - t), with k > 0 and one class each, or one class and the rest alike.

    Args:
        gradient: (rows, num_classes).
        p: float, of the same shape.
    """
    is_half = gradient.dtype in BALANCED
    balanced = BALANCED.get(gradient.dtype, CLOSE)
    used = gradient.abs().sum(1) > 0
    gradient, p = gradient[used].double(), p[used].double()
    rows, classes = gradient.shape
    if rows * (classes - 3) < EVIDENCE:
        return False
    labels = gradient.argmin(1)
    different = len(labels.unique())
    if different == 1 or different == rows == classes:
        return False  # the first column's, or the batch's own samples: positives of a contrastive loss
    fits = _fits(gradient, p, labels, is_half=is_half) & _is_balanced(gradient, balanced)
    return float(fits.double().mean()) >= (FITTING if is_half else 1.0)


def _fits(gradient: Tensor, p: Tensor, labels: Tensor, *, is_half: bool) -> Tensor:
    """Beside the target's entry, which is the only negative one, the gradient must be k p - b (b: smoothed labels)."""
    rows, classes = gradient.shape
    others = torch.ones_like(p, dtype=torch.bool).scatter_(1, labels[:, None], False)
    g, q = gradient[others].view(rows, classes - 1), p[others].view(rows, classes - 1)
    spread = q - q.mean(1, keepdim=True)
    slope = ((g - g.mean(1, keepdim=True)) * spread).sum(1) / spread.pow(2).sum(1).clamp(min=1e-30)
    base = slope * q.mean(1) - g.mean(1)
    left = (g - slope[:, None] * q + base[:, None]).abs().amax(1)
    size = gradient.gather(1, labels[:, None]).abs()[:, 0]
    if is_half:  # k is at least the target's entry, which is k (t - p)
        return (left <= HALF_CLOSE * g.abs().amax(1)) & (slope >= (1 - HALF_CLOSE) * size)
    return left <= CLOSE * size


def is_of_table(gradient: Tensor, p: Tensor) -> bool:
    """Whether rows share soft targets, as those of one class do: g_i - g_j = k (p_i - p_j), with k > 0.

    Args:
        gradient: (rows, num_classes), in single or double precision.
        p: of the same shape.
    """
    used = gradient.abs().sum(1) > 0
    gradient, p = gradient[used][:PAIRS].double(), p[used][:PAIRS].double()
    rows, classes = gradient.shape
    if classes < 3 or rows < 4 or not bool(_is_balanced(gradient, CLOSE).all()):
        return False
    i, j = torch.triu_indices(rows, rows, 1)
    g, q = gradient[i] - gradient[j], p[i] - p[j]
    slope = (g * q).sum(1) / q.pow(2).sum(1).clamp(min=1e-30)
    same = (g - slope[:, None] * q).abs().amax(1) <= CLOSE * g.abs().amax(1)
    same &= (slope > 0) & (q.abs().amax(1) > CLOSE)
    return bool(same.any()) and _are_of_classes(same, i, j, rows, classes)


def _are_of_classes(same: Tensor, i: Tensor, j: Tensor, rows: int, classes: int) -> bool:
    """Whether the pairs sort (nearly) all rows into several groups, no more than there are classes."""
    group = torch.arange(rows)
    for a, b in zip(i[same].tolist(), j[same].tolist(), strict=True):
        group[b] = min(int(group[a]), int(group[b]))
    sizes = group.unique(return_counts=True)[1]
    evidence = int((sizes - 1).sum()) * (classes - 2)  # of each pair one entry gives k, one is the sum's
    return 1 < len(sizes) <= classes and int((sizes > 1).sum()) > 1 and evidence >= EVIDENCE


def is_of_binary(gradient: Tensor, logits: Tensor) -> bool:
    """Whether one logit per row gets k (sigmoid(z) - t), with t of 0 or 1 and one k for each.

    Args:
        gradient, logits: of rows.
    """
    used = gradient != 0
    gradient, logits = gradient[used].double(), logits[used].double()
    labels = ((1, gradient < 0), (0, gradient > 0))
    factors = [gradient[part] / _sigmoid_less(logits[part], true) for true, part in labels]
    if len(gradient) < EVIDENCE or min(map(len, factors)) < 3:
        return False
    return all(float(k.max() - k.min()) <= CLOSE * float(k.max()) for k in factors)


def _sigmoid_less(logits: Tensor, true: int) -> Tensor:
    return -torch.sigmoid(-logits) if true else torch.sigmoid(logits)


def _is_balanced(gradient: Tensor, share: float) -> Tensor:
    """Whether each row's sum is nothing against its largest entry."""
    return gradient.sum(1).abs() <= share * gradient.amin(1).abs()
