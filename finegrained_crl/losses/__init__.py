"""Losses: every public name. `finegrained_crl.losses.catalogue` maps the short names of `--loss` to the classes."""

from finegrained_crl.losses.catalogue import LOSSES, build_criterion, loss_class, option_names
from finegrained_crl.losses.cdw_cross_entropy import CDWCrossEntropyLoss, cdw_cross_entropy
from finegrained_crl.losses.center import CenterLoss, center_loss
from finegrained_crl.losses.centroids import pedcc_centroids
from finegrained_crl.losses.competing_ratio import CompetingRatioLoss, competing_ratio_loss, competing_ratio_losses
from finegrained_crl.losses.coral import CORALLoss
from finegrained_crl.losses.corn import CORNLoss
from finegrained_crl.losses.crl_dldl import CompetingRatioDLDLLoss, crl_dldl_loss
from finegrained_crl.losses.crl_sord import CompetingRatioSORDLoss, crl_sord_loss
from finegrained_crl.losses.cross_entropy import CrossEntropyLoss, LabelSmoothingLoss
from finegrained_crl.losses.dldl import DLDLv2Loss, dldl_loss
from finegrained_crl.losses.dual_cross_entropy import DualCrossEntropyLoss, dual_cross_entropy
from finegrained_crl.losses.ensemble_soft_margin import EnsembleSoftMarginLoss, hsic
from finegrained_crl.losses.focal import FocalLoss, focal_loss
from finegrained_crl.losses.large_margin import AngularSoftmaxLoss, LargeMarginSoftmaxLoss
from finegrained_crl.losses.link import crl_link
from finegrained_crl.losses.mean_variance import MeanVarianceLoss, mean_variance_loss
from finegrained_crl.losses.negative_log_likelihood_ratio import NegativeLogLikelihoodRatioLoss, negative_log_likelihood_ratio
from finegrained_crl.losses.one_vs_rest import OneVsRestSoftmaxBCE, one_vs_rest_softmax_bce
from finegrained_crl.losses.ordinal_targets import dldl_targets, sord_targets
from finegrained_crl.losses.paper_eq14 import PaperEq14Loss, paper_eq14_loss
from finegrained_crl.losses.pedcc import PEDCCLoss, pedcc_loss
from finegrained_crl.losses.pod import PODLoss, pod_loss
from finegrained_crl.losses.poly import PolyLoss, poly_loss
from finegrained_crl.losses.soft_labels import OrdinalSoftLabelLoss, soft_label_targets
from finegrained_crl.losses.soft_margin import SoftMarginSoftmaxLoss, soft_margin_softmax
from finegrained_crl.losses.sord import SORDLoss, sord_loss
from finegrained_crl.losses.squared_emd import SquaredEMDLoss, squared_emd_loss
from finegrained_crl.losses.tamed_cross_entropy import TamedCrossEntropyLoss, tamed_cross_entropy
from finegrained_crl.losses.triplet import TripletLoss

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
    "cdw_cross_entropy",
    "center_loss",
    "competing_ratio_loss",
    "competing_ratio_losses",
    "crl_dldl_loss",
    "crl_link",
    "crl_sord_loss",
    "dldl_loss",
    "dldl_targets",
    "dual_cross_entropy",
    "focal_loss",
    "hsic",
    "loss_class",
    "mean_variance_loss",
    "negative_log_likelihood_ratio",
    "one_vs_rest_softmax_bce",
    "option_names",
    "paper_eq14_loss",
    "pedcc_centroids",
    "pedcc_loss",
    "pod_loss",
    "poly_loss",
    "soft_label_targets",
    "soft_margin_softmax",
    "sord_loss",
    "sord_targets",
    "squared_emd_loss",
    "tamed_cross_entropy",
]
