"""The filter bank: k filters of 1 x 1 for each class, each one's strongest response anywhere in the picture, and its
place.

Source: Wang, Morariu, Davis, CVPR 2018, section 3.1 (global max pooling) and 3.2 (cross-channel pooling).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn


class Peaks(NamedTuple):
    """The strongest response of every filter.

    Attributes:
        values: float, (batch, num_classes * filters); the filters of class c are c * filters .. (c + 1) * filters - 1.
        places: int64, (batch, num_classes * filters), position in the map, row by row.
    """

    values: Tensor
    places: Tensor


class FilterBank(nn.Conv2d):
    """A 1 x 1 convolution followed by global max pooling; as a module it holds the convolution's weight and bias, and a
    scale.

    Only the position of each maximum gets a gradient. So the responses at all positions are computed without one, and
    the response
    at the maximum is computed again with one: the same numbers, in about half the time.

    Args:
        channels: of the map.
        num_classes: classes.
        filters: per class.
    Attributes:
        scale: factor of the map. It changes nothing that the bank can express, but how far one update moves a response:
            networks' middle maps differ in size by factors of ten, and learning rates are chosen without looking. 1
            until the bank is initialised.
    """

    def __init__(self, channels: int, num_classes: int, filters: int) -> None:
        super().__init__(channels, num_classes * filters, kernel_size=1)
        self.filters = filters
        self.scale: Tensor
        self.register_buffer("scale", torch.ones(()))

    def forward(self, maps: Tensor) -> Peaks:  # type: ignore[override]  # a convolution returns the whole map
        """Peaks of (batch, channels, height, width)."""
        vectors = maps.flatten(2).mT  # (batch, places, channels)
        weight = self.weight.flatten(1)
        with torch.no_grad():
            places = (vectors @ weight.T).argmax(dim=1)  # a filter's bias moves all its responses alike
        start = torch.arange(maps.shape[0], device=maps.device).unsqueeze(1) * vectors.shape[1]
        strongest = vectors.flatten(0, 1).index_select(0, (start + places).flatten())
        values = self.scale * (strongest.unflatten(0, (-1, places.shape[1])) * weight).sum(-1)
        return Peaks(values if self.bias is None else values + self.bias, places)


def cross_channel_pooling(values: Tensor, filters: int) -> Tensor:
    """The side branch: the mean of each class's peaks; no weights.

    Args:
        values: float, (batch, num_classes * filters).
        filters: per class.
    Returns:
        float, (batch, num_classes).

    >>> cross_channel_pooling(torch.tensor([[1.0, 3.0, 5.0, 6.0]]), filters=2).tolist()
    [[2.0, 5.5]]
    """
    by_class: Tensor = values.unflatten(1, (-1, filters))
    return by_class.mean(2)


@torch.no_grad()
def calibrate(bank: FilterBank, maps: Iterable[Tensor], size: float) -> None:
    """Shift every filter's peak to a mean of 0 over these maps.

    Without it, a filter that responds to every picture outweighs the telling ones in its class's mean. The scale is
    that of the maps,
    not that of the peaks: those of an untrained network hardly differ between pictures, and dividing by next to nothing
    would blow them up.

    Args:
        bank: its scale and bias are set; its weight stays.
        maps: float, (batch, channels, height, width) each.
        size: root mean square of the maps' entries; the bank divides by it.
    """
    bias: Tensor = bank.get_parameter("bias")
    bank.scale.fill_(1 / max(size, 1e-12))
    nn.init.zeros_(bias)
    count, total = 0, torch.zeros_like(bias, dtype=torch.float64)
    for one in maps:
        peaks = bank(one).values.double()
        count, total = count + len(peaks), total + peaks.sum(0)
    bias.copy_(-total / count)
