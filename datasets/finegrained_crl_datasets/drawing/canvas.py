"""A square picture in unit coordinates, drawn three times too large and reduced at the end, so that edges come out
smooth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

Points = npt.NDArray[np.float64]
Colour = tuple[int, int, int]

FACTOR = 3


@dataclass(frozen=True)
class Pose:
    """Where a figure stands: its own coordinates are mirrored, turned, scaled, then moved to `centre` (unit
    coordinates).
    """

    centre: tuple[float, float]
    scale: float
    turn: float = 0.0
    flip: bool = False

    def place(self, points: Points) -> Points:
        """Figure coordinates, (n, 2), to unit coordinates, (n, 2); `turn` is in radians, clockwise on the screen."""
        cos, sin = np.cos(self.turn), np.sin(self.turn)
        turned = points @ np.array([[cos, sin], [-sin, cos]])
        if self.flip:
            turned = turned * (-1, 1)
        placed: Points = turned * self.scale + self.centre
        return placed


class Canvas:
    """A picture and the mask of what has been drawn on it. All lengths are shares of the side."""

    def __init__(self, size: int, image: Image | None = None) -> None:
        """An empty canvas of `size` final pixels, or one over a full-size picture (3 * size pixels)."""
        from PIL import Image as pil

        self.size, self.side = size, size * FACTOR
        self.image = image if image is not None else pil.new("RGB", (self.side, self.side))
        self.mask = pil.new("L", (self.side, self.side))

    def fill(self, points: Points, colour: Colour) -> None:
        """Draw an opaque polygon, (n, 2)."""
        from PIL import ImageDraw

        corners = self._pixels(points)
        ImageDraw.Draw(self.image).polygon(corners, fill=colour)
        ImageDraw.Draw(self.mask).polygon(corners, fill=255)

    def line(self, points: Points, width: float, colour: Colour) -> None:
        """Draw an opaque line with round joints and ends through points, (n, 2)."""
        from PIL import ImageDraw

        pixels = self._pixels(points)
        self._stroke(ImageDraw.Draw(self.image), pixels, width, colour)
        self._stroke(ImageDraw.Draw(self.mask), pixels, width, 255)

    def tint(
        self,
        shapes: list[Points],
        colour: Colour,
        *,
        opacity: float = 1.0,
        blur: float = 0.0,
        width: float = 0.0,
        clip: Points | None = None,
    ) -> None:
        """Colour what is already drawn: polygons, or lines where `width` is given; nothing outside the figure (or
        `clip`) changes.
        """
        from PIL import Image as pil
        from PIL import ImageChops, ImageDraw, ImageFilter

        area = self._area(shapes, width / 2 + 3 * blur)
        if area is None:
            return
        mask = pil.new("L", (area[2] - area[0], area[3] - area[1]))
        draw = ImageDraw.Draw(mask)
        for points in shapes:
            local = self._pixels(points, area[:2])
            self._stroke(draw, local, width, 255) if width else draw.polygon(local, fill=255)
        if blur:
            mask = mask.filter(ImageFilter.GaussianBlur(blur * self.side))
        if opacity < 1:
            mask = mask.point([round(v * opacity) for v in range(256)])
        mask = ImageChops.multiply(mask, self.mask.crop(area))
        if clip is not None:
            bounds = pil.new("L", mask.size)
            ImageDraw.Draw(bounds).polygon(self._pixels(clip, area[:2]), fill=255)
            mask = ImageChops.multiply(mask, bounds)
        self.image.paste(colour, area, mask)

    def shade(self, light: tuple[float, float], *, depth: float, strength: float) -> None:
        """Make what is drawn look round: brighter where its edge faces the light, darker on the other side.

        Args:
            light: direction towards the light in the picture plane.
            depth: how far the shading reaches inwards from the edge.
            strength: relative change of brightness at the edge.
        """
        from PIL import Image as pil
        from PIL import ImageFilter

        small = self.mask.reduce(FACTOR).filter(ImageFilter.GaussianBlur(depth * self.size))
        down, right = np.gradient(np.asarray(small, dtype=np.float64) / 255 * depth * self.size)
        facing = -(right * light[0] + down * light[1]) * 2.5
        gain = pil.fromarray(facing.astype(np.float32)).resize((self.side, self.side), pil.Resampling.BILINEAR)
        pixels = np.asarray(self.image, dtype=np.float32) * (1 + strength * np.asarray(gain)[..., None])
        self.image = pil.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))

    def put(self, layer: Canvas) -> None:
        """Lay another canvas' figure over this picture."""
        area = layer.mask.getbbox()
        if area is not None:
            part = layer.mask.crop(area)
            self.image.paste(layer.image.crop(area), area, part)
            self.mask.paste(255, area, part)

    def shadow(self, layer: Canvas, offset: tuple[float, float], *, blur: float, opacity: float) -> None:
        """Darken this picture where a figure's shadow falls, moved by `offset`."""
        from PIL import Image as pil
        from PIL import ImageChops, ImageFilter

        soft = layer.mask.reduce(FACTOR).filter(ImageFilter.GaussianBlur(blur * self.size))
        soft = ImageChops.offset(soft, round(offset[0] * self.size), round(offset[1] * self.size))
        mask = soft.point([round(v * opacity) for v in range(256)]).resize(self.mask.size, pil.Resampling.BILINEAR)
        self.image.paste((10, 14, 12), mask=mask)

    def box(self) -> tuple[float, float, float, float]:
        """Bounding box of the figure in final pixels: x, y, width, height."""
        left, top, right, bottom = self.mask.getbbox() or (0, 0, 0, 0)
        return left / FACTOR, top / FACTOR, (right - left) / FACTOR, (bottom - top) / FACTOR

    def finish(self, rng: np.random.Generator, *, blur: float, gain: float, noise: float) -> Image:
        """The picture at its final size, as a camera would have it: slightly soft, lighter or darker, noisy."""
        from PIL import Image as pil
        from PIL import ImageFilter

        small = self.image.reduce(FACTOR).filter(ImageFilter.GaussianBlur(blur))
        pixels = np.asarray(small, dtype=np.float32) * gain + rng.normal(0, noise, (self.size, self.size, 1))
        return pil.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))

    def _stroke(self, draw: ImageDraw, pixels: list[tuple[float, float]], width: float, paint: Colour | int) -> None:
        """A line with round joints and ends; the ends as discs, since Pillow's own are square."""
        thick = max(1, round(width * self.side))
        draw.line(pixels, fill=paint, width=thick, joint="curve" if thick > 4 else None)
        for x, y in (pixels[0], pixels[-1]):
            draw.ellipse((x - thick / 2, y - thick / 2, x + thick / 2, y + thick / 2), fill=paint)

    def _area(self, shapes: list[Points], margin: float) -> tuple[int, int, int, int] | None:
        """The pixels that shapes can touch (left, top, right, bottom), None where they are outside the picture."""
        points = np.vstack(shapes) if shapes else np.full((1, 2), -1.0)
        left, top = np.maximum(np.floor((points.min(axis=0) - margin) * self.side).astype(int) - 2, 0).tolist()
        right, bottom = np.minimum(
            np.ceil((points.max(axis=0) + margin) * self.side).astype(int) + 3, self.side
        ).tolist()
        return (left, top, right, bottom) if left < right and top < bottom else None

    def _pixels(self, points: Points, origin: tuple[int, ...] = (0, 0)) -> list[tuple[float, float]]:
        """Unit coordinates, (n, 2), to pixels of an area that begins at `origin`."""
        return [(float(x), float(y)) for x, y in np.asarray(points) * self.side - np.array(origin)]


def curve(points: list[tuple[float, float]] | Points, *, closed: bool = True, steps: int = 8) -> Points:
    """A smooth line (Catmull-Rom) through points, (n, 2) -> (m, 2)."""
    p = np.asarray(points, dtype=np.float64)
    ring = np.vstack([p[-1:], p, p[:2]]) if closed else np.vstack([p[:1], p, p[-1:]])
    a, b, c, d = ring[:-3], ring[1:-2], ring[2:-1], ring[3:]
    t = np.linspace(0, 1, steps, endpoint=False)[:, None, None]
    smooth = 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
    line = smooth.transpose(1, 0, 2).reshape(-1, 2)
    return line if closed else np.vstack([line, p[-1:]])


def ellipse(x: float, y: float, width: float, height: float, *, turn: float = 0.0, steps: int = 28) -> Points:
    """An ellipse with half axes `width` and `height` around (x, y), turned by radians, (steps, 2)."""
    angle = np.linspace(0, 2 * np.pi, steps, endpoint=False)
    px, py = width * np.cos(angle), height * np.sin(angle)
    return np.stack([x + px * np.cos(turn) - py * np.sin(turn), y + px * np.sin(turn) + py * np.cos(turn)], axis=1)


def hsv(hue: float, saturation: float, value: float) -> Colour:
    """A colour from hue in degrees, saturation and value in 0..1 (both clipped)."""
    import colorsys

    s, v = min(max(saturation, 0.0), 1.0), min(max(value, 0.0), 1.0)
    red, green, blue = colorsys.hsv_to_rgb(hue / 360 % 1, s, v)
    return round(red * 255), round(green * 255), round(blue * 255)


def mix(one: Colour, other: Colour, share: float) -> Colour:
    """`one` with `share` of `other` in it."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue
