"""Destruction: the blocks of a picture shuffled within their neighbourhood, and the permutation that did it.

A permutation is an int64 row of grid * grid numbers: `permutation[d]` is the block of the intact picture that place d
of the destroyed one shows, both counted row by row. Blocks are (height // grid) x (width // grid) pixels; the pixels
that are left over form a frame around the blocks, half of it on each side, which stays as it is. So every size and
every grid up to the size works, nothing is interpolated, and `invert` undoes it exactly.

Source: Chen, Bai, Zhang, Mei, Destruction and Construction Learning for Fine-Grained Image Recognition, CVPR 2019,
    section 3.1.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

Shuffle = Literal["paper", "repository"]
BORDER = 10 / 448
"""Share of each side that the public code cuts off before it shuffles."""


def random_permutations(
    count: int, grid: int, reach: int, shuffle: Shuffle = "paper", device: torch.device | str = "cpu"
) -> Tensor:
    """Draw permutations from torch's own random state.

    Args:
        count: how many.
        grid: blocks per side.
        reach: see `jittered`; the public shuffle knows no bound.
        shuffle: "paper" (`jittered`) or "repository" (`bubbled`).
        device: where.
    Returns:
        int64, (count, grid * grid).
    """
    noise = torch.rand(count, 2, grid, grid, device=device)
    return permutations(noise, reach, shuffle)


def permutations(noise: Tensor, reach: int, shuffle: Shuffle = "paper") -> Tensor:
    """Permutations from noise in [0, 1), (count, 2, grid, grid): one number per block for its row, one for its column.

    >>> permutations(torch.full((1, 2, 3, 3), 0.5), reach=2).tolist()
    [[0, 1, 2, 3, 4, 5, 6, 7, 8]]
    """
    if shuffle == "repository":
        return _compose(bubbled(noise[:, 0]), bubbled(noise[:, 1, 0]).unsqueeze(1).expand_as(noise[:, 1]))
    return _compose(jittered(noise[:, 0], reach), jittered(noise[:, 1], reach))


def jittered(noise: Tensor, reach: int) -> Tensor:
    """Order by place plus uniform noise: nothing moves by `reach` places or more.

    Place i gets the key i + r with r uniform in [-reach / 2, reach / 2); sorting the keys gives the order. i can only
    pass places less than `reach` away, of which there are at most reach - 1 on either side.

    Args:
        noise: float, (.., grid), in [0, 1).
        reach: strict bound on |new place - old place|. The paper draws r in (-k, k), which bounds the shift by 2k:
            reach = 2k.
    Returns:
        int64, (.., grid): the old place that each new place takes.
    Source: eq. 1 and 2.
    """
    keys = torch.arange(noise.shape[-1], device=noise.device) + reach * (noise - 0.5)
    order: Tensor = keys.argsort(dim=-1, stable=True)
    return order


def bubbled(noise: Tensor) -> Tensor:
    """The order that the public code's loop makes: from left to right, each neighbouring pair is swapped with
    probability 1/2.

    Half of all blocks move one place to the left; what is left behind is carried to the right, with probability 2^-n by
    n places, up to the other end. The public code does this per row, then with whole rows.

    Args:
        noise: float, (.., grid), in [0, 1).
    Returns:
        int64, (.., grid): the old place that each new place takes.
    """
    places = torch.arange(noise.shape[-1], device=noise.device).expand(noise.shape)
    carried, order = places[..., 0], []
    for place in range(1, noise.shape[-1]):
        swap = noise[..., place] < 0.5
        order.append(torch.where(swap, places[..., place], carried))
        carried = torch.where(swap, carried, places[..., place])
    return torch.stack([*order, carried], dim=-1)


def _compose(in_rows: Tensor, in_columns: Tensor) -> Tensor:
    """First each row, then each column of the result.

    Eq. 3 reads as if both orders came from the intact picture; then two blocks may claim one place. In turn, they
    can't, and each order still moves its own coordinate alone, so the bounds hold.

    Args:
        in_rows: int64, (count, row, place): column of the block that comes to this place.
        in_columns: int64, (count, column, place): row of the block that comes to this place.
    """
    rows = in_columns.mT  # (count, place, column)
    columns = in_rows.gather(1, rows)
    return (rows * in_rows.shape[-1] + columns).flatten(1)


def invert(permutation: Tensor) -> Tensor:
    """The permutation that puts every block back; int64, (count, grid * grid)."""
    return permutation.argsort(dim=1)


def blocks_of(images: Tensor, grid: int) -> Tensor:
    """A view of the blocks, (batch, grid, grid, channels, block height, block width), of (batch, channels, height,
    width).
    """
    high, wide, top, left = _geometry(images.shape[2], images.shape[3], grid)
    inner = images[:, :, top : top + high * grid, left : left + wide * grid]
    by_block: Tensor = inner.unflatten(3, (grid, wide)).unflatten(2, (grid, high))
    return by_block.permute(0, 2, 4, 1, 3, 5)


def shuffle_blocks(images: Tensor, permutation: Tensor, grid: int) -> Tensor:
    """Destroy a batch, each picture by its own permutation, in one gather.

    Args:
        images: (batch, channels, height, width), any type, on any device.
        permutation: int64, (batch, grid * grid).
        grid: blocks per side.
    Returns:
        a new tensor like `images`.

    >>> shuffle_blocks(torch.arange(4).view(1, 1, 2, 2), torch.tensor([[3, 2, 1, 0]]), grid=2).tolist()
    [[[[3, 2], [1, 0]]]]
    """
    high, wide, top, left = _geometry(images.shape[2], images.shape[3], grid)
    inner = images[:, :, top : top + high * grid, left : left + wide * grid]
    is_last = images.is_contiguous(memory_format=torch.channels_last)
    planes = (
        inner.permute(0, 2, 3, 1).unsqueeze(1) if is_last else inner.unsqueeze(-1)
    )  # (batch, planes, height, width, values)
    strips = planes.reshape(-1, wide * planes.shape[-1])  # one row of one block lies together in memory: move it as one
    moved = strips.index_select(0, _strip_order(permutation, planes.shape[1], high, grid)).view(planes.shape)
    moved = moved.squeeze(1).permute(0, 3, 1, 2) if is_last else moved.squeeze(-1)
    if moved.shape == images.shape:
        return moved
    destroyed = images.clone()
    destroyed[:, :, top : top + high * grid, left : left + wide * grid] = moved
    return destroyed


def _strip_order(permutation: Tensor, planes: int, high: int, grid: int) -> Tensor:
    """Which strip goes where, counted by (picture, plane, block row, row in the block, block column)."""
    pixel_row = torch.arange(high, device=permutation.device).view(-1, 1)
    source = permutation.view(-1, 1, grid, 1, grid)
    within = (source // grid * high + pixel_row) * grid + source % grid
    plane = torch.arange(len(permutation) * planes, device=permutation.device).view(-1, planes, 1, 1, 1)
    return (plane * (grid * high * grid) + within).flatten()


def _geometry(height: int, width: int, grid: int) -> tuple[int, int, int, int]:
    """Height and width of a block, and the frame above and left of the blocks, pixels."""
    high, wide = height // grid, width // grid
    return high, wide, (height - high * grid) // 2, (width - wide * grid) // 2


def picture_permutation(noise: np.ndarray, reach: int) -> np.ndarray:
    """`permutations` for one picture in a loader's worker, in numpy: on so few numbers torch takes four times as long.

    Args:
        noise: float32, (2, grid, grid), in [0, 1).
        reach: see `jittered`.
    Returns:
        int64, (grid * grid,).
    """
    grid = noise.shape[-1]
    in_rows, in_columns = (np.arange(grid, dtype=np.float32) + reach * (noise - np.float32(0.5))).argsort(
        axis=-1, kind="stable"
    )
    rows = in_columns.T
    return np.asarray(rows * grid + np.take_along_axis(in_rows, rows, axis=0)).reshape(-1)


def shuffle_picture(pixels: np.ndarray, permutation: np.ndarray, grid: int) -> np.ndarray:
    """`shuffle_blocks` for one picture in a loader's worker.

    Args:
        pixels: uint8, (height, width, 3).
        permutation: int64, (grid * grid,).
        grid: blocks per side.
    Returns:
        uint8, (height, width, 3), new.
    """
    high, wide, top, left = _geometry(pixels.shape[0], pixels.shape[1], grid)
    inner = np.ascontiguousarray(pixels[top : top + high * grid, left : left + wide * grid])
    strips = inner.reshape(-1).view(f"V{3 * wide}")  # one row of one block is one item: numpy moves it by one memcpy
    rows, columns = np.divmod(permutation.reshape(grid, 1, grid), grid)
    source = (rows * high + np.arange(high).reshape(-1, 1)) * grid + columns  # (block row, pixel row, block column)
    moved = strips[source.reshape(-1)].view(np.uint8).reshape(inner.shape)
    if moved.shape == pixels.shape:
        return moved
    destroyed = pixels.copy()
    destroyed[top : top + high * grid, left : left + wide * grid] = moved
    return destroyed


def without_border(images: Tensor) -> Tensor:
    """What the public code shuffles: the picture without ten of its 448 pixels on each side, scaled up to its old size.

    Args:
        images: float, (batch, channels, height, width).
    """
    high, wide = images.shape[2:]
    top, left = round(high * BORDER), round(wide * BORDER)
    return F.interpolate(
        images[:, :, top : high - top, left : wide - left], size=(high, wide), mode="bilinear", align_corners=False
    )


@dataclass(frozen=True)
class WorkerDestruction:
    """Destruction in a loader's worker: a picture -> the intact and the destroyed one, and the permutation.

    Attributes:
        grid: blocks per side.
        reach: see `jittered`.
        shuffle: which shuffle.
    """

    grid: int
    reach: int
    shuffle: Shuffle

    def __call__(self, pixels: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Pair one augmented picture with its destroyed self.

        Args:
            pixels: uint8, (height, width, 3).
            random: the picture's own.
        Returns:
            uint8, (2, height, width, 3), intact first; and {"permutation": int64, (grid * grid,)}.
        """
        noise = random.random((2, self.grid, self.grid), dtype=np.float32)
        if self.shuffle == "paper":
            source, permutation = pixels, picture_permutation(noise, self.reach)
        else:
            source, permutation = (
                _zoomed(pixels),
                permutations(torch.from_numpy(noise[None]), self.reach, self.shuffle)[0].numpy(),
            )
        return np.stack([pixels, shuffle_picture(source, permutation, self.grid)]), {"permutation": permutation}


def _zoomed(pixels: np.ndarray) -> np.ndarray:
    whole = torch.from_numpy(pixels.copy()).permute(2, 0, 1).unsqueeze(0).float()
    return without_border(whole).round_().to(torch.uint8)[0].permute(1, 2, 0).contiguous().numpy()
