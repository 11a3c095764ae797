"""Where pictures are cut and which are mirrored, for a whole batch at once: pad, plain crop and flip, and the views of
evaluation.

These steps only choose pixels, so a batch can be cut from pictures in memory, or on a GPU, with exactly the pixels that
one picture at a time would give. Random windows come from (seed, epoch, row) by a hash of their own: a numpy generator
per picture would take longer than cutting it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from finegrained_crl.data.transforms import ImageSettings, View

Ints = npt.NDArray[np.int64]


class Windows(NamedTuple):
    """Windows of equal size, (pictures, views) each.

    Attributes:
        tops: first line, may be negative where the picture was padded.
        lefts: first column, likewise.
        mirrored: whether left and right are swapped.
    """

    tops: Ints
    lefts: Ints
    mirrored: npt.NDArray[np.bool_]


def only_cuts(settings: ImageSettings) -> bool:
    """Whether the augmentation does nothing but resize to a set size, pad, crop and flip."""
    changes_pixels = settings.rotate or settings.color_jitter or settings.erase
    return settings.crop_scale == 1 and not changes_pixels


def random_windows(
    settings: ImageSettings, seed: int, epochs: Ints, rows: Ints, heights: Ints, widths: Ints
) -> Windows:
    """The training windows of some pictures.

    Args:
        settings: size, padding, probability of a flip.
        seed: of the run.
        epochs: (n,), counted from 0.
        rows: (n,), rows of the records table.
        heights: (n,), of the resized pictures, before padding.
        widths: (n,), likewise.
    Returns:
        one window per picture, (n, 1).
    """
    seeds = np.full(len(rows), seed, np.uint64)
    key = _hash(_hash(seeds, epochs.astype(np.uint64)), rows.astype(np.uint64))
    room = 2 * settings.pad - settings.image_size + 1
    tops = _below(heights + room, _hash(key, 1)) - settings.pad
    lefts = _below(widths + room, _hash(key, 2)) - settings.pad
    share = (_hash(key, 3) >> np.uint64(11)) * 2.0**-53  # 53 bits: every double in [0, 1) that is a multiple of 2^-53
    return Windows(tops[:, None], lefts[:, None], (share < settings.hflip)[:, None])


def view_windows(size: int, views: View, heights: Ints, widths: Ints) -> Windows:
    """The evaluation views of some pictures.

    Args:
        size: side of a view, pixels.
        views: "single" (centre), "flip" (centre and its mirror image), "ten-crop" (centre, four corners, and their
            mirror images).
        heights: (n,), of the resized pictures, each at least `size`.
        widths: (n,), likewise.
    Returns:
        (n, 1), (n, 2) or (n, 10) windows.
    """
    down, right = heights - size, widths - size
    none = np.zeros_like(down)
    corners = [(down // 2, right // 2)]
    if views == "ten-crop":
        corners += [(none, none), (none, right), (down, none), (down, right)]
    tops, lefts = (np.stack(sides, axis=1) for sides in zip(*corners, strict=True))
    plain = np.zeros(tops.shape, bool)
    if views == "single":
        return Windows(tops, lefts, plain)
    return Windows(np.tile(tops, 2), np.tile(lefts, 2), np.concatenate([plain, ~plain], axis=1))


def cut(picture: np.ndarray, top: int, left: int, mirrored: bool, out: np.ndarray) -> None:
    """Copy one window of a picture into `out`, (size, size, 3); what lies outside of the picture stays as it is there.

    >>> out = np.zeros((2, 2, 1), np.uint8)
    >>> cut(np.array([[[1], [2]], [[3], [4]]], np.uint8), -1, 0, True, out)
    >>> out[..., 0].tolist()
    [[0, 0], [2, 1]]
    """
    height, width = out.shape[:2]
    target = out[:, ::-1] if mirrored else out
    if top >= 0 and left >= 0 and top + height <= picture.shape[0] and left + width <= picture.shape[1]:
        target[:] = picture[top : top + height, left : left + width]
        return
    first, begin = max(top, 0), max(left, 0)
    inside = picture[first : max(first, top + height), begin : max(begin, left + width)]
    lines, columns = inside.shape[:2]
    target[first - top : first - top + lines, begin - left : begin - left + columns] = inside


def _below(limits: Ints, random: npt.NDArray[np.uint64]) -> Ints:
    """Integers from 0 to below each limit (less than 2^31): the high bits of 32 random bits times the limit."""
    high = random >> np.uint64(32)
    return ((high * limits.astype(np.uint64)) >> np.uint64(32)).astype(np.int64)


def _hash(state: npt.NDArray[np.uint64], word: int | npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Mix one more word into 64-bit states: the step and the finaliser of SplitMix64 (Steele, Lea and Flood 2014)."""
    with np.errstate(over="ignore"):
        mixed = state + (np.asarray(word, np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)))
