"""One-vs-rest binary cross-entropy on softmax probabilities: each wrong class is told to be absent.

    L(z, c)   = -log p_c - sum_{k != c} log(1 - p_k)
    dL/dz_j   = (p - e_c)_j + r_j - p_j sum_k r_k,     r_k = p_k / (1 - p_k) for k != c, r_c = 0

This is the paper's CCE (eq. 5) with its second line corrected to the complement: printed is the product of p(y_k | x),
which contradicts the first line. One concentrated wrong class costs more than the same probability spread out, so,
unlike CRL's, its gradient does not point where cross-entropy's does. With two classes it is twice the cross-entropy. It
is a proper score. (In Keras "categorical cross-entropy" means plain cross-entropy; hence the longer name.)
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from finegrained_crl.losses.log_complement import log_complement
from finegrained_crl.losses.reduction import class_axis, to_full_precision
from finegrained_crl.losses.softmax_loss import ClassLosses


class OneVsRestSoftmaxBCE(ClassLosses):
    """One-vs-rest BCE on softmax probabilities: -log p_c - sum_{k != c} log(1 - p_k).

    Raises:
        ValueError: an option is outside its allowed values.
    Source: Zhang et al., 2019, arXiv 1912.11642 v1, eq. 5, corrected.

    >>> OneVsRestSoftmaxBCE()(torch.tensor([[0.0, 0.0]]), torch.tensor([1]))
    tensor(1.3863)
    """

    def class_losses(self, logits: Tensor) -> Tensor:
        """Compute -log p_k - sum_{j != k} log(1 - p_j) for every class k."""
        axis = class_axis(logits)
        log_p = F.log_softmax(to_full_precision(logits), axis)
        absent = -log_complement(log_p, axis) if logits.shape[axis] > 1 else torch.zeros_like(log_p)
        return -log_p + _sum_over_others(absent, axis)


def _sum_over_others(values: Tensor, axis: int) -> Tensor:
    """For each class, the sum over all other classes.

    Total minus own value would lose the small sums beside one large value (a confident row has 1e4 for its top class),
    so the largest is left out of the total and added where it belongs.
    """
    top = values.detach().argmax(axis, keepdim=True)
    largest = values.gather(axis, top)
    small = values.scatter(axis, top, 0.0)
    total = small.sum(axis, keepdim=True)
    return (total - small + largest).scatter(axis, top, total)
