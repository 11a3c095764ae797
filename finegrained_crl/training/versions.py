"""Versions of what a number depends on."""

from __future__ import annotations

import functools
import platform
from importlib.metadata import PackageNotFoundError, version

PACKAGES = (
    *("finegrained-crl", "torch", "timm", "accelerate", "albumentations"),
    *("numpy", "pandas", "opencv-python-headless", "pillow"),
)


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that a number depends on."""
    return {"python": platform.python_version()} | {name: _installed(name) for name in PACKAGES}


@functools.cache  # of what this process has loaded; looking it up takes as long as an update of a small network
def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
