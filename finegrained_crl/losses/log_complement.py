"""log(1 - p) from log p, without losing the small values of 1 - p."""

from __future__ import annotations

import torch
from torch import Tensor


def log_complement(log_probabilities: Tensor, axis: int) -> Tensor:
    """Compute log(1 - p_k) for every class of a distribution.

    Where p_k is not the highest probability it is at most 1/2, and log1p(-p_k) is accurate. For the highest, 1 - p_k
    may lie far below the rounding of p_k (a logit gap of 17 in float32); there the sum over the other classes, log
    sum_{j != k} p_j, keeps every digit.

    Args:
        log_probabilities: float, a log_softmax over `axis`.
        axis: the class axis.
    Returns:
        float, the same shape, values <= 0; -inf only where all other classes have log p = -inf (or there is no other),
        with gradient 0.

    >>> log_complement(torch.tensor([0.0, -30.0]), 0)
    tensor([-3.0000e+01, -9.3576e-14])
    """
    top = log_probabilities.detach().argmax(axis, keepdim=True)
    # The masked entry is written below; masking it first keeps its gradient here at 0 instead of inf * 0 = NaN.
    others = log_probabilities.scatter(axis, top, -torch.inf)
    # A sum of nothing has the gradient exp(-inf + inf) = NaN; its row is summed as zeros, and -inf written over it.
    alone = (others == -torch.inf).all(axis, keepdim=True)
    rest = others.where(~alone, 0.0).logsumexp(axis, keepdim=True).where(~alone, -torch.inf)
    return torch.log1p(-others.exp()).scatter(axis, top, rest)
