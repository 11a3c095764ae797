"""Recover calibrated probabilities from a model that was trained with CRL: the loss's inverse link in closed form.

CRL is not a proper score: with class posterior eta its risk is smallest at a p* that is sharper than eta. But eta can
be read off p*:

    eta_k = psi(p*_k) / sum_j psi(p*_j),     psi(p) = p (A - p) / (A - (1 - beta) p),     A = alpha + 1

(beta = 1: psi(p) = p (1 - p/A)). psi is increasing on [0, 1] exactly when alpha >= sqrt(beta); only then does p* keep
the order of eta, and only then can the map be undone. It needs no fitting, unlike temperature scaling, and like it
never changes the top class; the two can follow each other. Like every statement about risk minimisers it holds as far
as the model fits the training
distribution: over-fitting is left to the temperature.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeVar

from finegrained_crl.losses.checks import require_at_least

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

Array = TypeVar("Array", "Tensor", "np.ndarray")


def crl_link(p: Array, alpha: float = 1.5, beta: float = 1.0) -> Array:
    """Turn the softmax probabilities of a CRL-trained model into estimates of the class posterior.

    psi(p) / sum psi(p) with psi(p) = p (A - p) / (A - (1 - beta) p), A = alpha + 1.

    Args:
        p: float, (..., num_classes), softmax probabilities, as a numpy array or a torch tensor.
        alpha: the loss's alpha, at least sqrt(beta).
        beta: the loss's beta, >= 0; 0 gives p back.
    Returns:
        the same kind and shape, each row summing to 1, with the same order of classes within a row.
    Raises:
        ValueError: alpha or beta is negative, or alpha < sqrt(beta), where no inverse exists.
    Source: derived here (docs/losses.md); checked by minimising the population risk in tests/losses/test_link.py.

    >>> import numpy as np
    >>> crl_link(np.array([0.75, 0.25])).round(4).tolist()
    [0.7, 0.3]
    """
    require_at_least("alpha", alpha, 0)
    require_at_least("beta", beta, 0)
    if alpha < math.sqrt(beta):
        raise ValueError(
            f"alpha must be >= sqrt(beta) = {math.sqrt(beta):.4g} for the link to have an inverse, got {alpha}; "
            "calibrate this model by a temperature instead"
        )
    if beta == 0:
        return p
    total = alpha + 1
    psi = p * (total - p) / (total - (1 - beta) * p)
    normalised: Array = psi / psi.sum(-1)[..., None]
    return normalised
