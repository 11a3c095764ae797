"""Names -> losses: what `--loss NAME` may be, and how one is built for a class count and a feature size.

Every class in `LOSSES` declares `summary` (a line for `fgcrl list losses`), `takes_soft_targets`, and `needs`:

    "logits"      criterion(logits, target)
    "features"    criterion(logits, target, features)
    "classifier"  criterion(features, target); the criterion owns the classifier, and `criterion.scores(features)` gives
                  (batch, num_classes) logits or log-probabilities for evaluation

The user's settings are the constructor's parameters except those of `NOT_SETTINGS`; `num_classes` and `feature_dim` come from
the data set and the backbone.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from typing import Any

from torch import nn

from finegrained_crl.errors import FinegrainedError, nearest

LOSSES: dict[str, str] = {
    "ce": "cross_entropy.CrossEntropyLoss",
    "smoothing": "cross_entropy.LabelSmoothingLoss",
    "crl": "competing_ratio.CompetingRatioLoss",
    "nllr": "negative_log_likelihood_ratio.NegativeLogLikelihoodRatioLoss",
    "soft-margin": "soft_margin.SoftMarginSoftmaxLoss",
    "poly1": "poly.PolyLoss",
    "focal": "focal.FocalLoss",
    "ovr-bce": "one_vs_rest.OneVsRestSoftmaxBCE",
    "dual-ce": "dual_cross_entropy.DualCrossEntropyLoss",
    "tamed-ce": "tamed_cross_entropy.TamedCrossEntropyLoss",
    "paper-eq14": "paper_eq14.PaperEq14Loss",
    "center": "center.CenterLoss",
    "triplet": "triplet.TripletLoss",
    "em-softmax": "ensemble_soft_margin.EnsembleSoftMarginLoss",
    "l-softmax": "large_margin.LargeMarginSoftmaxLoss",
    "a-softmax": "large_margin.AngularSoftmaxLoss",
    "pedcc": "pedcc.PEDCCLoss",
    "pod": "pod.PODLoss",
    "sord": "sord.SORDLoss",
    "crl-sord": "crl_sord.CompetingRatioSORDLoss",
    "crl-dldl": "crl_dldl.CompetingRatioDLDLLoss",
    "dldl": "dldl.DLDLv2Loss",
    "soft-labels": "soft_labels.OrdinalSoftLabelLoss",
    "mean-variance": "mean_variance.MeanVarianceLoss",
    "emd": "squared_emd.SquaredEMDLoss",
    "cdw-ce": "cdw_cross_entropy.CDWCrossEntropyLoss",
    "coral": "coral.CORALLoss",
    "corn": "corn.CORNLoss",
}
NOT_SETTINGS = ("num_classes", "feature_dim", "weight", "ignore_index", "reduction")


def loss_class(name: str) -> type[nn.Module]:
    """Import the class behind a short name.

    Args:
        name: a key of `LOSSES`.
    Returns:
        an `nn.Module` class with `summary`, `takes_soft_targets` and `needs`.
    Raises:
        FinegrainedError: nothing has that name; the nearest known one is suggested.

    >>> loss_class("crl").__name__
    'CompetingRatioLoss'
    """
    if name not in LOSSES:
        raise FinegrainedError(f"unknown loss '{name}': {nearest(name, LOSSES)}")
    module, _, attribute = LOSSES[name].rpartition(".")
    found: type[nn.Module] = getattr(importlib.import_module(f"finegrained_crl.losses.{module}"), attribute)
    return found


def option_names(cls: type[nn.Module]) -> list[str]:
    """List the settings that a user may give to a loss, in the order of its constructor.

    >>> option_names(loss_class("crl"))
    ['alpha', 'beta', 'label_smoothing', 'subtract_floor']
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
        FinegrainedError: an unknown name or setting, a value that the loss refuses, or a library that is not installed. One line
            that opens with "--loss NAME:".

    >>> build_criterion("crl", {"alpha": 2.0}, num_classes=10, feature_dim=64)
    CompetingRatioLoss(alpha=2.0, beta=1.0)
    """
    cls = loss_class(name)
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
