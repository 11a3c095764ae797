"""PyTorch's rules for targets, class weights, smoothing and reduction, for any loss that has a value per class.

A loss L(z, k) of the logits z and a class k is extended from one class to a distribution q over classes by

    L(z, q) = sum_k q_k L(z, k)

which is what `torch.nn.functional.cross_entropy` does with L(z, k) = -log p_k. It is linear in q, so a mixup target and
the weighted sum of two losses agree exactly, and class weights and label smoothing mean what they mean in PyTorch.
(losses.md 1.6; the rejected alternative, sum_k q_k p_k inside the logarithm, is not linear.)
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from finegrained_crl.losses.checks import require_weight

HALF_PRECISION = (torch.float16, torch.bfloat16)


def reduce_function_of_cross_entropy(
    logits: Tensor,
    target: Tensor,
    term: Callable[[Tensor], Tensor],
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Reduce a loss that depends on the class's own probability only, L(z, k) = term(-log p_k).

    With class indices, all work beyond `F.cross_entropy` is on one number per sample.

    Args:
        logits: float, (num_classes,), (batch, num_classes) or (batch, num_classes, d1, ...), before the softmax; half
            precision is raised to float32 first, because the loss would otherwise inherit an error of half a percent.
        target: class indices in the logits' shape without the class axis, or float probabilities in the logits' shape.
        term: elementwise, from ce = -log p in [0, inf] to the loss.
        weight: float, (num_classes,), factor per class.
        ignore_index: class index that contributes neither value nor count.
        reduction: "none", "mean" or "sum".
        label_smoothing: share of the target spread over all classes, in [0, 1].
    Returns:
        float, scalar, or the target's shape (without classes) for "none". As in PyTorch, "mean" divides by the kept
        rows' weight for class indices and by the number of rows for probabilities; with no row kept it is NaN.
    Raises:
        ValueError: the target fits the logits neither as indices nor as probabilities, or `weight` is not one factor
            per class.
    """
    scores = to_full_precision(logits)
    require_weight(weight, scores.shape[class_axis(scores)])
    if label_smoothing > 0.0 or target.dim() == logits.dim():
        losses = term(-F.log_softmax(scores, class_axis(scores)))
        return reduce_class_losses(losses, target, weight, ignore_index, reduction, label_smoothing)
    values = term(F.cross_entropy(scores, target, ignore_index=ignore_index, reduction="none"))
    return reduce_rows(values, target, weight, ignore_index, reduction)


def reduce_class_losses(
    losses: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Reduce a table of losses, L(z, k) for every class k, against the target.

    Args:
        losses: float, (num_classes,), (batch, num_classes) or (batch, num_classes, d1, ...).
        target, weight, ignore_index, reduction, label_smoothing: as for `reduce_function_of_cross_entropy`.
    Returns:
        float, scalar, or the target's shape (without classes) for "none".
    Raises:
        ValueError: the target fits the losses neither as indices nor as probabilities, or `weight` is not one factor
            per class.

    >>> reduce_class_losses(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([0, 1]))
    tensor(2.5000)
    """
    axis = class_axis(losses)
    require_weight(weight, losses.shape[axis])
    if target.shape == losses.shape:
        if ignore_index >= 0:
            raise ValueError(
                f"ignore_index = {ignore_index} has no meaning for a target of probabilities; leave it at -100"
            )
        return _reduce_probabilities(losses, target, weight, reduction, label_smoothing)
    if target.shape != losses.shape[:axis] + losses.shape[axis + 1 :]:
        raise ValueError(
            f"logits {tuple(losses.shape)} and target {tuple(target.shape)} do not fit; pass class indices in the"
            " logits' shape without its class axis (axis 1, or 0 for one sample), or float probabilities in the"
            " logits' shape"
        )
    kept = target != ignore_index
    own = losses.gather(axis, target.where(kept, 0).long().unsqueeze(axis)).squeeze(axis).where(kept, 0.0)
    if label_smoothing == 0.0:
        return reduce_rows(own, target, weight, ignore_index, reduction)
    rows = _row_weights(target, weight, ignore_index, losses.dtype)
    spread = (losses * _per_class(weight, losses)).mean(axis).where(kept, 0.0)
    mixed = (1 - label_smoothing) * (own * rows) + label_smoothing * spread
    if reduction == "none":
        return mixed
    return mixed.sum() if reduction == "sum" else mixed.sum() / rows.sum()


def reduce_rows(
    values: Tensor, labels: Tensor, weight: Tensor | None = None, ignore_index: int = -100, reduction: str = "mean"
) -> Tensor:
    """Reduce one loss per label: weighted by the label's class, without the ignored ones.

    Args:
        values: float, the labels' shape; finite in ignored rows.
        labels: int64 class indices.
        weight, ignore_index, reduction: as for `reduce_function_of_cross_entropy`.
    Returns:
        float, scalar, or the labels' shape for "none".

    >>> reduce_rows(torch.tensor([1.0, 2.0, 6.0]), torch.tensor([0, 1, -100]))
    tensor(1.5000)
    """
    rows = _row_weights(labels, weight, ignore_index, values.dtype)
    if reduction == "none":
        return values * rows
    if 0 in values.shape:  # a dot product of nothing is 0, where PyTorch's mean of nothing is NaN
        return values.sum() if reduction == "sum" else values.mean()
    if reduction == "mean":
        rows = rows / rows.sum()
    # One dot product does the masking, the weighting and the sum: at (16, 200) it saves a tenth of the whole loss's
    # time.
    return torch.dot(values, rows) if values.dim() == 1 else torch.dot(values.flatten(), rows.flatten())


def to_full_precision(logits: Tensor) -> Tensor:
    """Raise half-precision logits to float32; others stay as they are."""
    return logits.float() if logits.dtype in HALF_PRECISION else logits


def class_axis(logits: Tensor) -> int:
    """Axis of the classes: 1, or 0 for one sample without a batch axis."""
    return min(logits.dim() - 1, 1)


def _row_weights(target: Tensor, weight: Tensor | None, ignore_index: int, dtype: torch.dtype) -> Tensor:
    """Each row's factor: its class's weight (1 without any), and 0 where it is ignored."""
    kept = target != ignore_index
    return kept.to(dtype) if weight is None else weight.to(dtype)[target.where(kept, 0).long()] * kept


def _reduce_probabilities(
    losses: Tensor, target: Tensor, weight: Tensor | None, reduction: str, label_smoothing: float
) -> Tensor:
    if not target.is_floating_point():
        raise ValueError(f"a target in the logits' shape {tuple(losses.shape)} holds probabilities and must be float, "
                         f"got {target.dtype}; pass class indices without the class axis")  # fmt: skip
    axis = class_axis(losses)
    mass = target.to(losses.dtype)
    if label_smoothing > 0.0:
        mass = mass * (1 - label_smoothing) + label_smoothing / losses.shape[axis]
    values = (mass * _per_class(weight, losses) * losses).sum(axis)
    if reduction == "none":
        return values
    return values.sum() if reduction == "sum" else values.mean()


def _per_class(weight: Tensor | None, losses: Tensor) -> Tensor:
    """Class weights (ones without any) in a shape that broadcasts over the losses."""
    axis = class_axis(losses)
    ones = losses.new_ones(losses.shape[axis]) if weight is None else weight.to(losses.dtype)
    return ones.view([-1] + [1] * (losses.dim() - axis - 1))
