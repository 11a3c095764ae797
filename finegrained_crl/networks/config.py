"""What timm keeps about a network beside its layers: input size and normalisation, the same for all of ours."""

from __future__ import annotations

from typing import Any

CIFAR_MEAN, CIFAR_STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
"""Of CIFAR-10's training pictures; the authors of CRL use them for CIFAR-100 too."""


def small_picture_config(first_conv: str, classifier: str) -> dict[str, Any]:
    """A pretrained configuration without weights.

    Args:
        first_conv: module name of the first convolution.
        classifier: module name of the last layer.
    """
    return {
        "url": "",
        "num_classes": 10,
        "input_size": (3, 32, 32),
        "pool_size": None,
        "crop_pct": 1.0,
        "interpolation": "bilinear",
        "mean": CIFAR_MEAN,
        "std": CIFAR_STD,
        "first_conv": first_conv,
        "classifier": classifier,
    }
