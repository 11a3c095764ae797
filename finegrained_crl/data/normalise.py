"""From the bytes of pictures to the floats that a network takes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

BLOCK = 2**19
"""Values that are normalised at a time on a CPU: they stay in its cache through all three operations."""


def normaliser(
    mean: tuple[float, ...], std: tuple[float, ...], device: torch.device
) -> Callable[[torch.Tensor], torch.Tensor]:
    """Function from uint8 (.., height, width, 3) to normalised float32 (n, 3, height, width), views folded into the
    batch.

    Done on the device: bytes are a quarter of the floats that would otherwise cross from the workers. The result is
    laid out channels-last, as it came.
    """
    scale = torch.tensor(std, device=device).mul(255).reciprocal()
    shift = torch.tensor(mean, device=device).mul(255).mul(-scale)

    def normalise(images: torch.Tensor) -> torch.Tensor:
        flat = images.flatten(0, -4).to(device, non_blocking=True)
        floats = _by_blocks(flat, scale, shift) if device.type == "cpu" else flat.mul(scale).add_(shift)
        return floats.permute(0, 3, 1, 2)

    return normalise


def _by_blocks(images: torch.Tensor, scale: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
    """uint8 (n, height, width, 3) -> float32 of the same shape, value for value what one expression over all would be.

    That would be bound by memory, most of all by new pages: a batch of 128 at 448 pixels is 308 MB, and numpy asks for
    large pages where torch does not.
    """
    count, height, width, channels = images.shape
    line = width * channels
    # A line of factors, not one per channel: three values are too few to be vectorised over.
    factors, terms = scale.repeat(width), shift.repeat(width)
    floats = torch.from_numpy(np.empty((count, height, line), np.float32))
    pictures = max(1, BLOCK // max(1, height * line))
    pairs = zip(floats.split(pictures), images.reshape(count, height, line).split(pictures), strict=True)
    for target, source in pairs:
        target.copy_(source).mul_(factors).add_(terms)
    return floats.view(count, height, width, channels)
