"""Construction: for every place of a picture, where its block belongs; what the construction head has to say.

The permutation is known, so the target is exact. `guessed_permutation` is what the public code trains on instead.

Source: Chen et al., CVPR 2019, section 3.2, eq. 9.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from finegrained_crl_plugins.dcl.destruction import blocks_of

Law = Literal["one-channel", "two-channel"]
CHANNELS: dict[str, int] = {"one-channel": 1, "two-channel": 2}


def law_target(permutation: Tensor, grid: int, law: Law) -> Tensor:
    """Where the block at each place belongs, scaled to about the unit interval.

    "one-channel" is the public code's: block number i -> (i - grid^2 // 2) / grid^2, from about -1/2 to 1/2.
    "two-channel" is the paper's row and column map; the paper counts them from 1 to grid, here they are divided by
    grid, so that the weight of this loss means the same for every grid.

    Args:
        permutation: int64, (batch, grid * grid): the block at each place.
        grid: blocks per side.
        law: which of the two.
    Returns:
        float, (batch, channels * grid * grid): rows before columns for "two-channel".

    >>> law_target(torch.tensor([[0, 1, 3, 2]]), grid=2, law="one-channel").tolist()
    [[-0.5, -0.25, 0.25, 0.0]]
    >>> law_target(torch.tensor([[0, 1, 3, 2]]), grid=2, law="two-channel").tolist()
    [[0.5, 0.5, 1.0, 1.0, 0.5, 1.0, 1.0, 0.5]]
    """
    if law == "one-channel":
        return (permutation - grid * grid // 2) / (grid * grid)
    return torch.cat([permutation // grid + 1, permutation % grid + 1], dim=1) / grid


def guessed_permutation(intact: Tensor, destroyed: Tensor, grid: int, std: tuple[float, ...]) -> Tensor:
    """The public code's guess of the permutation: the intact block whose mean colour, channels added, is nearest.

    Args:
        intact: float, (batch, 3, height, width), normalised.
        destroyed: float, (batch, 3, height, width), normalised.
        grid: blocks per side.
        std: standard deviation that the pictures were divided by, per channel; the guess is made on plain colours.
    Returns:
        int64, (batch, grid * grid); blocks of like colour may occur twice, others not at all.
    """
    scale = torch.tensor(std, device=intact.device).view(1, 1, -1)
    before, after = (
        (blocks_of(images, grid).mean((4, 5)).flatten(1, 2) * scale).sum(2) for images in (intact, destroyed)
    )
    return (after.unsqueeze(2) - before.unsqueeze(1)).abs().argmin(dim=2)


class ConstructionHead(nn.Module):
    """1 x 1 convolution, average pooling to grid x grid, tanh ("one-channel") or ReLU ("two-channel").

    The pooling adapts, so any picture size and any grid will do; on 14 x 14 maps and a grid of 7 it is the paper's 2 x
    2 pooling.

    Args:
        channels: of the backbone's maps.
        grid: blocks per side.
        law: which target it learns.
    """

    def __init__(self, channels: int, grid: int, law: Law) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(channels, CHANNELS[law], kernel_size=1)
        self.pool = nn.AdaptiveAvgPool2d(grid)
        self.law = law

    def forward(self, maps: Tensor) -> Tensor:
        """(batch, channels, height, width) -> (batch, law channels * grid * grid)."""
        places = self.convolution(maps)
        pooled: Tensor = self.pool(places).tanh() if self.law == "one-channel" else self.pool(places.relu())
        return pooled.flatten(1)
