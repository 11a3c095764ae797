"""Losses: every public name. `finegrained_crl.losses.catalogue` maps the short names of `--loss` to the classes.

Each name is imported when it is first used, so that the catalogue can be read without torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from finegrained_crl.losses.catalogue import LOSSES, build_criterion, loss_class, option_names, summary_of
    from finegrained_crl.losses.cdw_cross_entropy import CDWCrossEntropyLoss
    from finegrained_crl.losses.center import CenterLoss, center_loss
    from finegrained_crl.losses.centroids import pedcc_centroids
    from finegrained_crl.losses.competing_ratio import CompetingRatioLoss, competing_ratio_loss, competing_ratio_losses
    from finegrained_crl.losses.coral import CORALLoss
    from finegrained_crl.losses.corn import CORNLoss
    from finegrained_crl.losses.crl_dldl import CompetingRatioDLDLLoss
    from finegrained_crl.losses.crl_sord import CompetingRatioSORDLoss
    from finegrained_crl.losses.cross_entropy import CrossEntropyLoss, LabelSmoothingLoss
    from finegrained_crl.losses.dldl import DLDLv2Loss
    from finegrained_crl.losses.dual_cross_entropy import DualCrossEntropyLoss
    from finegrained_crl.losses.ensemble_soft_margin import EnsembleSoftMarginLoss, hsic
    from finegrained_crl.losses.focal import FocalLoss
    from finegrained_crl.losses.large_margin import AngularSoftmaxLoss, LargeMarginSoftmaxLoss
    from finegrained_crl.losses.link import crl_link
    from finegrained_crl.losses.mean_variance import MeanVarianceLoss
    from finegrained_crl.losses.negative_log_likelihood_ratio import NegativeLogLikelihoodRatioLoss
    from finegrained_crl.losses.one_vs_rest import OneVsRestSoftmaxBCE
    from finegrained_crl.losses.ordinal_targets import dldl_targets, sord_targets
    from finegrained_crl.losses.paper_eq14 import PaperEq14Loss
    from finegrained_crl.losses.pedcc import PEDCCLoss, pedcc_loss
    from finegrained_crl.losses.pod import PODLoss, pod_loss
    from finegrained_crl.losses.poly import PolyLoss
    from finegrained_crl.losses.soft_labels import OrdinalSoftLabelLoss, soft_label_targets
    from finegrained_crl.losses.soft_margin import SoftMarginSoftmaxLoss
    from finegrained_crl.losses.sord import SORDLoss
    from finegrained_crl.losses.squared_emd import SquaredEMDLoss
    from finegrained_crl.losses.tamed_cross_entropy import TamedCrossEntropyLoss
    from finegrained_crl.losses.triplet import TripletLoss

MODULES = {
    "catalogue": ("LOSSES", "build_criterion", "loss_class", "option_names", "summary_of"),
    "cdw_cross_entropy": ("CDWCrossEntropyLoss",),
    "center": ("CenterLoss", "center_loss"),
    "centroids": ("pedcc_centroids",),
    "competing_ratio": ("CompetingRatioLoss", "competing_ratio_loss", "competing_ratio_losses"),
    "coral": ("CORALLoss",),
    "corn": ("CORNLoss",),
    "crl_dldl": ("CompetingRatioDLDLLoss",),
    "crl_sord": ("CompetingRatioSORDLoss",),
    "cross_entropy": ("CrossEntropyLoss", "LabelSmoothingLoss"),
    "dldl": ("DLDLv2Loss",),
    "dual_cross_entropy": ("DualCrossEntropyLoss",),
    "ensemble_soft_margin": ("EnsembleSoftMarginLoss", "hsic"),
    "focal": ("FocalLoss",),
    "large_margin": ("AngularSoftmaxLoss", "LargeMarginSoftmaxLoss"),
    "link": ("crl_link",),
    "mean_variance": ("MeanVarianceLoss",),
    "negative_log_likelihood_ratio": ("NegativeLogLikelihoodRatioLoss",),
    "one_vs_rest": ("OneVsRestSoftmaxBCE",),
    "ordinal_targets": ("dldl_targets", "sord_targets"),
    "paper_eq14": ("PaperEq14Loss",),
    "pedcc": ("PEDCCLoss", "pedcc_loss"),
    "pod": ("PODLoss", "pod_loss"),
    "poly": ("PolyLoss",),
    "soft_labels": ("OrdinalSoftLabelLoss", "soft_label_targets"),
    "soft_margin": ("SoftMarginSoftmaxLoss",),
    "sord": ("SORDLoss",),
    "squared_emd": ("SquaredEMDLoss",),
    "tamed_cross_entropy": ("TamedCrossEntropyLoss",),
    "triplet": ("TripletLoss",),
}
__all__ = [
    "LOSSES",
    "AngularSoftmaxLoss",
    "CDWCrossEntropyLoss",
    "CORALLoss",
    "CORNLoss",
    "CenterLoss",
    "CompetingRatioDLDLLoss",
    "CompetingRatioLoss",
    "CompetingRatioSORDLoss",
    "CrossEntropyLoss",
    "DLDLv2Loss",
    "DualCrossEntropyLoss",
    "EnsembleSoftMarginLoss",
    "FocalLoss",
    "LabelSmoothingLoss",
    "LargeMarginSoftmaxLoss",
    "MeanVarianceLoss",
    "NegativeLogLikelihoodRatioLoss",
    "OneVsRestSoftmaxBCE",
    "OrdinalSoftLabelLoss",
    "PEDCCLoss",
    "PODLoss",
    "PaperEq14Loss",
    "PolyLoss",
    "SORDLoss",
    "SoftMarginSoftmaxLoss",
    "SquaredEMDLoss",
    "TamedCrossEntropyLoss",
    "TripletLoss",
    "build_criterion",
    "center_loss",
    "competing_ratio_loss",
    "competing_ratio_losses",
    "crl_link",
    "dldl_targets",
    "hsic",
    "loss_class",
    "option_names",
    "pedcc_centroids",
    "pedcc_loss",
    "pod_loss",
    "soft_label_targets",
    "sord_targets",
    "summary_of",
]


def __getattr__(name: str) -> Any:
    """Import a public name on first use (PEP 562)."""
    for module, names in MODULES.items():
        if name in names:
            return getattr(importlib.import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
