"""Versions of what a number depends on."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

PACKAGES = (
    *("finegrained-crl", "torch", "timm", "accelerate", "albumentations"),
    *("numpy", "pandas", "opencv-python-headless", "pillow"),
)


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that a number depends on."""
    by_package = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            by_package[name] = version(name)
        except PackageNotFoundError:
            by_package[name] = "not installed"
    return by_package
