"""Laying one picture on another, and how alike their fine structure is then: pictures of one pose differ there, copies
don't.

Source: Evangelidis and Psarakis, 2008, Parametric image alignment using enhanced correlation coefficient maximization
    (OpenCV's ECC).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

BLUR = 3.0
"""Standard deviation in pixels of the blur whose difference to the picture is its fine structure."""
STEPS, PRECISION = 30, 1e-3
LEAST_OVERLAP = 0.5
BLOCK = 8
COVERED = 0.2
"""Share of the blocks that a stamp or logo may cover."""
LEAST_LEFT = 0.15
"""Share of the fine structure that the other blocks must hold, to say anything."""

Floats = npt.NDArray[np.float32]


def likeness(target: Floats, moving: Floats, start: Floats) -> float:
    """How alike two pictures are where they overlap, after the affine map that makes them most alike.

    Either all of it correlates, or most of it does nearly perfectly: the larger one of the correlation r, and of 2 s -
    1 with s the correlation without the fifth of the blocks that differs most.

    Args:
        target: float32, (side, side), the picture that stays.
        moving: the one that is moved.
        start: float32, (2, 3), from pixels of `target` to pixels of `moving`, where to begin.
    Returns:
        in [-1, 1]; -1 where they can't be aligned or hardly overlap.
    """
    import cv2

    criteria = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, STEPS, PRECISION)
    try:
        whole = np.ones(moving.shape, dtype=np.uint8)
        _, warp = cv2.findTransformECC(target, moving, start.copy(), cv2.MOTION_AFFINE, criteria, whole, 3)
    except cv2.error:  # it doesn't converge, or one of them is flat: no copies
        return -1.0
    flags, size = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, (target.shape[1], target.shape[0])
    moved = np.asarray(cv2.warpAffine(moving, warp, size, flags=flags), dtype=np.float32)
    shown = cv2.warpAffine(np.ones_like(moving), warp, size, flags=flags)
    overlap = (
        cv2.erode((shown > 0.999).astype(np.uint8), np.ones((5, 5), np.uint8), borderType=cv2.BORDER_REPLICATE) > 0
    )
    if overlap.mean() < LEAST_OVERLAP:
        return -1.0
    one, other = _fine(target, overlap), _fine(moved, overlap)
    return max(float((one * other).sum()), 2 * _without_covered(one, other) - 1)


def window_warp(window: tuple[float, float, float, float], side: int) -> Floats:
    """The map that lays a window (left, upper, width, height) of a picture on the whole of another one of the same
    side.
    """
    left, upper, width, height = window
    scale_x, scale_y = width / side, height / side
    # Pixels are counted by their centres, which lie half a pixel inside.
    return np.array([[scale_x, 0, left + (scale_x - 1) / 2], [0, scale_y, upper + (scale_y - 1) / 2]], dtype=np.float32)


def _fine(picture: Floats, overlap: npt.NDArray[np.bool_]) -> Floats:
    """The picture less its blur, of mean 0 and length 1 in the overlap and 0 elsewhere."""
    import cv2

    detail = np.asarray(picture - cv2.GaussianBlur(picture, (0, 0), BLUR))
    centred = np.where(overlap, detail - detail[overlap].mean(), 0).astype(np.float32)
    return centred / max(float(np.linalg.norm(centred)), 1e-9)


def _without_covered(one: Floats, other: Floats) -> float:
    """Correlation of the blocks that are left when those that differ most are taken away."""
    products = np.stack([_block_sums(one * one), _block_sums(one * other), _block_sums(other * other)])
    kept = np.ones(products.shape[1], dtype=bool)
    for _ in range(3):  # which differ most depends on the scale between the two, and that on which are kept
        first, both, second = products[:, kept].sum(axis=1)
        scale = both / max(first, 1e-9)
        difference = scale * scale * products[0] - 2 * scale * products[1] + products[2]
        kept = np.argsort(np.argsort(difference, kind="stable")) < round((1 - COVERED) * len(kept))
    first, both, second = products[:, kept].sum(axis=1)
    return float(both / np.sqrt(first * second)) if min(first, second) > LEAST_LEFT else -1.0


def _block_sums(values: Floats) -> Floats:
    blocks = len(values) // BLOCK
    return np.asarray(values.reshape(blocks, BLOCK, blocks, BLOCK).sum(axis=(1, 3)).ravel())
