"""Transformers at another image size than they were trained at.

Families with positions or windows for one size (timm: `fixed_input_size`) are built for the size that is asked for;
timm interpolates their positions when it loads pretrained weights, and `adapted_state` does the same for a file.
"""

from __future__ import annotations

import sys
from typing import Any

import torch
from torch import Tensor, nn

from finegrained_crl.errors import FinegrainedError

COMMON_STRIDE = 32  # of nets that name no patch: sizes divisible by it pass all of their stages and windows of 7 or 8


def size_options(backbone: str, image_size: int) -> dict[str, Any]:
    """Options that build a timm model for images of `image_size` pixels; none for networks that take any size."""
    from timm.models import get_pretrained_cfg

    try:
        config = get_pretrained_cfg(backbone)
    except RuntimeError:  # an unknown tag: building the model says so
        return {}
    return {"img_size": image_size} if config and config.fixed_input_size else {}


def nearest_sizes(patch: int, image_size: int) -> str:
    """Sizes around the one that failed which a patch divides.

    >>> nearest_sizes(16, 100)
    '96 or 112'
    """
    below = image_size // patch * patch
    return " or ".join(str(side) for side in (below, below + patch) if side not in (0, image_size))


def check_size(net: Any, backbone: str, image_size: int) -> None:
    """Refuse a size that the patches don't divide, or that the network can't pass.

    Raises:
        FinegrainedError: one line with the nearest sizes that fit.
    """
    if image_size == net.pretrained_cfg["input_size"][-1]:
        return
    patch = _patch_side(net)
    if image_size % patch and hasattr(net, "patch_embed"):
        raise misfit(backbone, image_size, f"its patches are {patch} x {patch} pixels", patch)
    was_training = net.training
    try:
        with torch.no_grad():
            net.eval()(torch.zeros(1, 3, image_size, image_size))
    except (RuntimeError, ValueError, AssertionError, IndexError) as error:
        raise misfit(backbone, image_size, " ".join(str(error).split())[:120], patch) from error
    net.train(was_training)


def misfit(backbone: str, image_size: int, reason: str, patch: int | None = None) -> FinegrainedError:
    """The error of a size that a network can't have.

    Args:
        backbone: timm's name.
        image_size: pixels.
        reason: why not.
        patch: side of a patch; None: that of the network at its own size.
    """
    import timm

    sizes = nearest_sizes(patch or _patch_side(timm.create_model(backbone, pretrained=False)), image_size)
    return FinegrainedError(
        f"--backbone {backbone} can't take --image-size {image_size}: {reason}; the nearest sizes are {sizes}"
    )


def adapted_state(model: nn.Module, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A state dict with positions interpolated to the model's size, by timm's own filter; as it is where timm has
    none.
    """
    adapt: Any = getattr(sys.modules[type(model).__module__], "checkpoint_filter_fn", None)
    if adapt is None:
        return state
    try:
        adapted: dict[str, Tensor] = adapt(dict(state), model)
    except (RuntimeError, KeyError, AttributeError, AssertionError, IndexError, ValueError):
        return state  # another architecture's file: what doesn't fit is listed by the caller
    return adapted


def _patch_side(net: Any) -> int:
    patch: Any = getattr(getattr(net, "patch_embed", None), "patch_size", None)
    if patch is None:
        return COMMON_STRIDE
    return int(patch[0] if isinstance(patch, tuple | list) else patch)
