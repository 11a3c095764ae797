"""What stands behind and below the figures: out-of-focus foliage or sky, branches, leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from finegrained_crl_datasets.drawing.canvas import FACTOR, Canvas, Colour, Points, curve, hsv, mix

if TYPE_CHECKING:
    from PIL.Image import Image

SCENES = {
    "leaves": (105, 0.45, 0.50),
    "sky": (206, 0.38, 0.90),
    "autumn": (36, 0.48, 0.62),
    "dusk": (250, 0.18, 0.55),
    "reed": (58, 0.36, 0.66),
}


def backdrop(rng: np.random.Generator, size: int, *, scenes: tuple[str, ...] = tuple(SCENES)) -> Image:
    """A blurred scene at full canvas size: a vertical gradient with discs of light out of focus."""
    from PIL import Image as pil
    from PIL import ImageDraw, ImageFilter

    typical, saturation, value = SCENES[scenes[rng.integers(len(scenes))]]
    hue = typical + rng.normal(0, 14)
    top, bottom = hsv(hue, saturation * 0.7, value * 1.1), hsv(hue + 15, saturation, value * rng.uniform(0.55, 0.9))
    small = _gradient(top, bottom, size)
    draw = ImageDraw.Draw(small)
    for _ in range(rng.integers(14, 30)):
        x, y, r = rng.uniform(0, size), rng.uniform(0, size), rng.uniform(0.03, 0.16) * size
        shade = hsv(hue + rng.normal(0, 18), saturation * rng.uniform(0.6, 1.3), value * rng.uniform(0.55, 1.25))
        draw.ellipse((x - r, y - r, x + r, y + r), fill=shade)
    blurred = small.filter(ImageFilter.GaussianBlur(size * rng.uniform(0.025, 0.06)))
    return blurred.resize((size * FACTOR, size * FACTOR), pil.Resampling.BICUBIC)


def branch(canvas: Canvas, rng: np.random.Generator, height: float) -> None:
    """A branch across the picture whose upper edge is near `height` in the middle, with bark and some leaves."""
    bend, slope, thick = rng.normal(0, 0.02), rng.normal(0, 0.05), rng.uniform(0.035, 0.06)
    middle = height + thick * 0.5
    spine = curve(
        [
            (-0.1, middle - slope + bend),
            (0.25, middle - slope * 0.5),
            (0.5, middle),
            (0.75, middle + slope * 0.5),
            (1.1, middle + slope + bend),
        ],
        closed=False,
    )
    layer = Canvas(canvas.size)
    wood = hsv(rng.uniform(18, 36), rng.uniform(0.25, 0.5), rng.uniform(0.32, 0.55))
    if rng.random() < 0.6:
        _twig(layer, rng, spine, thick, wood)
    layer.line(spine, thick, wood)
    layer.tint(
        [spine - (0, thick * 0.28)], mix(wood, (255, 240, 210), 0.35), width=thick * 0.3, opacity=0.7, blur=0.006
    )
    layer.tint(
        [spine + np.array((0, thick * 0.3))], mix(wood, (0, 0, 0), 0.6), width=thick * 0.4, opacity=0.7, blur=0.006
    )
    layer.tint([_crack(spine, rng, thick) for _ in range(9)], mix(wood, (0, 0, 0), 0.5), width=0.004, opacity=0.7)
    canvas.put(layer)


def leaves(canvas: Canvas, rng: np.random.Generator, count: int, *, near: float) -> None:
    """Leaves at random places around height `near`."""
    green = rng.uniform(70, 125)
    for _ in range(count):
        x, y = rng.uniform(0, 1), near + rng.normal(0.04, 0.09)
        length, turn = rng.uniform(0.07, 0.15), rng.uniform(0, 2 * np.pi)
        shape, rib = _leaf(length, turn, (x, y))
        tone = hsv(green + rng.normal(0, 8), rng.uniform(0.4, 0.7), rng.uniform(0.35, 0.65))
        layer = Canvas(canvas.size)
        layer.fill(shape, tone)
        layer.tint([rib], mix(tone, (230, 255, 200), 0.4), width=0.006, opacity=0.8)
        canvas.put(layer)


def _gradient(top: Colour, bottom: Colour, size: int) -> Image:
    from PIL import Image as pil

    share = np.linspace(0, 1, size)[:, None, None]
    rows = (1 - share) * np.array(top) + share * np.array(bottom)
    return pil.fromarray(np.broadcast_to(rows, (size, size, 3)).astype(np.uint8).copy())


def _twig(layer: Canvas, rng: np.random.Generator, spine: Points, thick: float, wood: Colour) -> None:
    start = spine[rng.integers(4, len(spine) - 4)]
    tip = start + np.array((rng.choice([-1, 1]) * rng.uniform(0.12, 0.3), rng.uniform(-0.3, 0.25)))
    bow = (start + tip) / 2 + np.array((0, rng.normal(0, 0.03)))
    layer.line(curve(np.array([start, bow, tip]), closed=False), thick * 0.35, mix(wood, (0, 0, 0), 0.15))


def _crack(spine: Points, rng: np.random.Generator, thick: float) -> Points:
    first = rng.integers(0, len(spine) - 5)
    line: Points = spine[first : first + 5] + np.array((0, rng.uniform(-0.4, 0.4) * thick))
    return line


def _leaf(length: float, turn: float, at: tuple[float, float]) -> tuple[Points, Points]:
    half = 0.32 * length
    outline = curve(
        [
            (0, 0),
            (0.3 * length, -half),
            (0.7 * length, -half * 0.7),
            (length, 0),
            (0.7 * length, half * 0.7),
            (0.3 * length, half),
        ]
    )
    rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    rib = np.array([(0.05 * length, 0), (0.9 * length, 0)])
    return outline @ rotation + at, rib @ rotation + at
