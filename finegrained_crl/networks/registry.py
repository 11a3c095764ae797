"""Which networks of our own timm's registry gets, and when: at the first look for a backbone, since timm is slow to
import.
"""

from __future__ import annotations

import importlib

NETWORKS = {
    "cifar_resnet20": "resnet",
    "cifar_resnet34": "resnet",
    "cifar_resnet34_thin": "resnet",
    "cifar_resnet50": "resnet",
    "cifar_resnet101": "resnet",
    "cifar_preact_resnet164": "preact_resnet",
    "cifar_vgg16_bn": "vgg",
    "cifar_vgg19_bn": "vgg",
    "janocha_convnet": "janocha",
}
"""Name -> module of this package that defines it."""


def register_networks() -> None:
    """Make `timm.create_model` know the networks of this package; a second call does nothing."""
    for module in dict.fromkeys(NETWORKS.values()):
        importlib.import_module(f"finegrained_crl.networks.{module}")
