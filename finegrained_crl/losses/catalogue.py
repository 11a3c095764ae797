"""Names -> losses: what `--loss NAME` may be, and how one is built for a class count and a feature size.

`LOSSES` has each name's class and its line for `fgcrl list losses`; torch is imported when a class is asked for. Every
class declares
`takes_soft_targets` and `needs`:

    "logits"      criterion(logits, target)
    "features"    criterion(logits, target, features)
    "classifier"  criterion(features, target); the criterion owns the classifier, and `criterion.scores(features)` gives
                  (batch, num_classes) logits or log-probabilities for evaluation

The user's settings are the constructor's parameters except those of `NOT_SETTINGS`: `num_classes` and `feature_dim`
come from the data set and the backbone, and `label_smoothing` is the recipe's (it makes the targets, for every loss
alike).
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from finegrained_crl.errors import FinegrainedError, nearest

if TYPE_CHECKING:
    from torch import nn

LOSSES: dict[str, tuple[str, str]] = {
    "ce": ("cross_entropy.CrossEntropyLoss", "cross-entropy, the baseline"),
    "smoothing": ("cross_entropy.LabelSmoothingLoss", "cross-entropy towards smoothed labels"),
    "crl": (
        "competing_ratio.CompetingRatioLoss",
        "Competing Ratio Loss: cross-entropy whose gradient grows with confidence, by up to 1 + beta/alpha",
    ),
    "nllr": (
        "negative_log_likelihood_ratio.NegativeLogLikelihoodRatioLoss",
        "negative log-likelihood ratio: CRL at alpha = 0, beta = 1; no lower bound unless floored",
    ),
    "soft-margin": (
        "soft_margin.SoftMarginSoftmaxLoss",
        "soft-margin softmax: the true class wins by a margin; CRL at beta = 1 with margin log(1 + 1/alpha)",
    ),
    "poly1": ("poly.PolyLoss", "Poly-1: cross-entropy + epsilon (1 - p); CRL to first order at epsilon = beta/alpha"),
    "focal": ("focal.FocalLoss", "focal loss: weights down what is already learnt, the opposite of CRL"),
    "ovr-bce": (
        "one_vs_rest.OneVsRestSoftmaxBCE",
        "one-vs-rest BCE on softmax probabilities (the CRL paper's CCE, corrected)",
    ),
    "dual-ce": (
        "dual_cross_entropy.DualCrossEntropyLoss",
        "dual cross-entropy (formula reconstructed): also penalises each wrong class's probability",
    ),
    "tamed-ce": (
        "tamed_cross_entropy.TamedCrossEntropyLoss",
        "tamed cross-entropy (formula reconstructed): gain falls on hard samples, for noisy labels",
    ),
    "paper-eq14": (
        "paper_eq14.PaperEq14Loss",
        "ablation: the loss whose gradient the CRL paper prints (eq. 14), CRL with beta negated",
    ),
    "center": (
        "center.CenterLoss",
        "center loss: cross-entropy + distance of the features to their class's running centre",
    ),
    "triplet": ("triplet.TripletLoss", "cross-entropy + triplet loss on the features (pytorch-metric-learning)"),
    "em-softmax": (
        "ensemble_soft_margin.EnsembleSoftMarginLoss",
        "EM-Softmax (reconstructed): several soft-margin classifiers, kept different by an HSIC penalty",
    ),
    "l-softmax": (
        "large_margin.LargeMarginSoftmaxLoss",
        "L-Softmax: angular margin on unnormalised weights (pytorch-metric-learning)",
    ),
    "a-softmax": (
        "large_margin.AngularSoftmaxLoss",
        "A-Softmax (SphereFace): angular margin on unit weights (pytorch-metric-learning)",
    ),
    "pedcc": ("pedcc.PEDCCLoss", "PEDCC: cosine softmax with a margin towards fixed, evenly spread class centroids"),
    "pod": (
        "pod.PODLoss",
        "POD: norm-adapted cosine to fixed centroids + decorrelated residuals; no softmax in training",
    ),
    "sord": ("sord.SORDLoss", "SORD for ordered classes: cross-entropy towards targets that fall with the distance"),
    "crl-sord": ("crl_sord.CompetingRatioSORDLoss", "CRL for ordered classes, towards SORD targets"),
    "crl-dldl": (
        "crl_dldl.CompetingRatioDLDLLoss",
        "CRL for ordered classes, towards a Gaussian around the label (DLDL)",
    ),
    "dldl": (
        "dldl.DLDLv2Loss",
        "DLDL-v2 for ordered classes: KL to a Gaussian around the label + error of the expected label",
    ),
    "soft-labels": (
        "soft_labels.OrdinalSoftLabelLoss",
        "cross-entropy or CRL towards dlordinal's soft labels (beta, binomial, triangular ...)",
    ),
    "mean-variance": (
        "mean_variance.MeanVarianceLoss",
        "mean-variance for ordered classes: cross-entropy + error of the expected label + spread",
    ),
    "emd": (
        "squared_emd.SquaredEMDLoss",
        "squared earth mover's distance for ordered classes (ranked probability score)",
    ),
    "cdw-ce": ("cdw_cross_entropy.CDWCrossEntropyLoss", "class-distance-weighted cross-entropy for ordered classes"),
    "coral": ("coral.CORALLoss", "CORAL for ordered classes: shared weights, one threshold per step (coral-pytorch)"),
    "corn": ("corn.CORNLoss", "CORN for ordered classes: a chain of conditional questions (coral-pytorch)"),
}
NOT_SETTINGS = ("num_classes", "feature_dim", "weight", "ignore_index", "reduction", "label_smoothing")


def loss_class(name: str) -> type[nn.Module]:
    """Import the class behind a short name.

    Args:
        name: a key of `LOSSES`.
    Returns:
        an `nn.Module` class with `takes_soft_targets` and `needs`.
    Raises:
        FinegrainedError: nothing has that name; the nearest known one is suggested.

    >>> loss_class("crl").__name__
    'CompetingRatioLoss'
    """
    if name not in LOSSES:
        raise FinegrainedError(f"unknown loss '{name}': {nearest(name, LOSSES)}")
    module, _, attribute = LOSSES[name][0].rpartition(".")
    cls: type[nn.Module] = getattr(importlib.import_module(f"finegrained_crl.losses.{module}"), attribute)
    return cls


def summary_of(name: str) -> str:
    """Give the line for `fgcrl list losses`.

    >>> summary_of("ce")
    'cross-entropy, the baseline'
    """
    return LOSSES[name][1]


def option_names(cls: type[nn.Module]) -> list[str]:
    """List the settings that a user may give to a loss, in the order of its constructor.

    >>> option_names(loss_class("crl"))
    ['alpha', 'beta', 'subtract_floor']
    """
    return [name for name in inspect.signature(cls).parameters if name not in NOT_SETTINGS]


def build_criterion(name: str, options: Mapping[str, Any], *, num_classes: int, feature_dim: int) -> nn.Module:
    """Build a loss by name for a classifier of `num_classes` over features of size `feature_dim`.

    Args:
        name: a key of `LOSSES`.
        options: the user's settings; what is not given keeps the constructor's default.
        num_classes: number of classes of the data set.
        feature_dim: size of the backbone's pooled features.
    Returns:
        the criterion; its `needs` says how to call it.
    Raises:
        FinegrainedError: an unknown name or setting, a value that the loss refuses, or a library that is not installed.
            One line that opens with "--loss NAME:".

    >>> build_criterion("crl", {"alpha": 2.0}, num_classes=10, feature_dim=64)
    CompetingRatioLoss(alpha=2.0, beta=1.0)
    """
    cls = loss_class(name)
    options = _without_smoothing(name, options)
    allowed = option_names(cls)
    for option in options:
        if option not in allowed:
            raise FinegrainedError(f"--loss {name}: unknown option '{option}', {nearest(option, allowed)}")
    sizes = {"num_classes": num_classes, "feature_dim": feature_dim}
    wanted = {key: value for key, value in sizes.items() if key in inspect.signature(cls).parameters}
    try:
        return cls(**wanted, **options)
    except (ValueError, TypeError, ModuleNotFoundError) as error:
        raise FinegrainedError(f"--loss {name}: {error}") from error


def _without_smoothing(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out a `label_smoothing` of 0, which recipes used to say beside their own; refuse another one."""
    smoothing = options.get("label_smoothing", 0.0)
    if smoothing:
        raise FinegrainedError(
            f"--loss {name}: label smoothing is a setting of the recipe; give --label-smoothing {smoothing}"
        )
    return {key: value for key, value in options.items() if key != "label_smoothing"}
