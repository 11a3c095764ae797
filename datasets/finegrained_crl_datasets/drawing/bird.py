"""One perched bird: species differ in bill, wing bars, breast, tail and eye ring, and in nothing else."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from finegrained_crl_datasets.drawing.canvas import Canvas, Colour, Pose, curve, ellipse, hsv, mix
from finegrained_crl_datasets.drawing.scenery import backdrop, branch, leaves

if TYPE_CHECKING:
    from PIL.Image import Image

DARK: Colour = (38, 34, 36)
PALE: Colour = (246, 242, 230)
YELLOW: Colour = (238, 178, 52)

# Hue, saturation, value of the back; any species can have any of them, so that colour tells nothing.
PLUMAGES = (
    (28, 0.50, 0.52),
    (20, 0.62, 0.60),
    (75, 0.38, 0.50),
    (210, 0.35, 0.55),
    (215, 0.10, 0.48),
    (45, 0.55, 0.62),
)


@dataclass(frozen=True)
class Traits:
    """What makes a species."""

    bill: Literal["cone", "needle", "hook", "sickle"]
    bill_colour: Literal["dark", "yellow"]
    wing_bars: Literal[0, 1, 2]
    breast: Literal["plain", "spots", "streaks"]
    tail: Literal["short", "long", "forked"]
    eye_ring: bool


@dataclass(frozen=True)
class Plumage:
    """Colours of one individual."""

    back: Colour
    wing: Colour
    breast: Colour


def draw_bird(traits: Traits, rng: np.random.Generator, size: int) -> tuple[Image, tuple[float, float, float, float]]:
    """Draw one photo-like picture of one individual.

    Args:
        traits: its species.
        rng: source of pose, plumage colour, light and scenery.
        size: side of the picture in pixels.
    Returns:
        the RGB picture and the bird's bounding box in pixels (x, y, width, height).
    """
    body = _stance(rng)
    light = (rng.uniform(-0.9, 0.9), -1.0)
    canvas = Canvas(size, backdrop(rng, size))
    perch = float(body.place(np.array([(-0.02, 0.22)]))[0, 1]) + 0.075 * body.scale
    branch(canvas, rng, perch)
    leaves(canvas, rng, int(rng.integers(0, 4)), near=perch)
    bird = _figure(traits, _plumage(rng), body, perch, rng, size)
    bird.shade(light, depth=0.07, strength=0.42)
    canvas.shadow(bird, (0.012, 0.03), blur=0.02, opacity=0.3)
    canvas.put(bird)
    leaves(canvas, rng, int(rng.integers(0, 2)), near=perch + 0.12)
    picture = canvas.finish(rng, blur=rng.uniform(0.1, 0.5), gain=rng.uniform(0.85, 1.15), noise=rng.uniform(0.5, 3))
    return picture, bird.box()


def _stance(rng: np.random.Generator) -> Pose:
    """Where the bird sits and how it leans, chosen so that its head and bill are in the picture (a long tail may leave
    it).
    """
    pose = Pose(
        (0.5 + rng.normal(0, 0.07), 0.47 + rng.normal(0, 0.06)),
        rng.uniform(0.46, 0.66),
        -rng.uniform(0.15, 0.95),
        bool(rng.random() < 0.5),
    )
    (x, y), (crown_x, crown_y) = pose.place(np.array([(0.90, -0.12), (0.42, -0.45)]))
    right = max(0.06 - x, 0.06 - crown_x, 0) - max(x - 0.94, crown_x - 0.94, 0)
    down = max(0.06 - crown_y, 0.06 - y, 0)
    return replace(pose, centre=(pose.centre[0] + right, pose.centre[1] + down))


def _plumage(rng: np.random.Generator) -> Plumage:
    hue, saturation, value = PLUMAGES[rng.integers(len(PLUMAGES))]
    tone = hue + rng.normal(0, 6)
    back = hsv(tone, saturation, value * rng.uniform(0.85, 1.15))
    breast = mix(hsv(tone + rng.normal(0, 12), 0.30, 0.90), PALE, rng.uniform(0.2, 0.7))
    return Plumage(back, mix(back, DARK, rng.uniform(0.35, 0.5)), breast)


def _figure(traits: Traits, plumage: Plumage, body: Pose, perch: float, rng: np.random.Generator, size: int) -> Canvas:
    """The bird on a canvas of its own, from back to front."""
    bird = Canvas(size)
    _legs(bird, body, perch)
    _tail(bird, traits, plumage, body)
    head = _head_pose(body, rng)
    _body(bird, plumage, body, head)
    _breast_marks(bird, traits, body, rng)
    _bill(bird, traits, head, body.scale)
    _wing(bird, traits, plumage, body)
    _eye(bird, traits, head)
    return bird


def _legs(bird: Canvas, body: Pose, perch: float) -> None:
    for x in (-0.06, 0.08):
        hip = body.place(np.array([(x, 0.18)]))[0]
        foot = np.array([hip[0], perch + 0.01])
        bird.line(np.array([hip, foot]), 0.016, (112, 84, 70))
        toes = np.array([foot + np.array((-0.025, 0.006)), foot, foot + np.array((0.028, 0.006))])
        bird.line(toes, 0.014, (112, 84, 70))


def _tail(bird: Canvas, traits: Traits, plumage: Plumage, body: Pose) -> None:
    """Short and square, long and rounded, or forked."""
    shapes = {
        "short": [(-0.40, -0.06), (-0.72, -0.05), (-0.74, 0.07), (-0.40, 0.07)],
        "long": [
            (-0.40, -0.07),
            (-0.80, -0.06),
            (-1.10, -0.055),
            (-1.17, 0.01),
            (-1.10, 0.065),
            (-0.80, 0.06),
            (-0.40, 0.07),
        ],
        "forked": [
            (-0.40, -0.06),
            (-0.75, -0.08),
            (-1.02, -0.17),
            (-0.78, 0.0),
            (-1.02, 0.16),
            (-0.75, 0.08),
            (-0.40, 0.07),
        ],
    }
    outline = body.place(np.array(shapes[traits.tail]))
    bird.fill(outline, plumage.wing)
    ends = {"short": [(-0.7, 0.02)], "long": [(-1.1, -0.02), (-1.1, 0.03)], "forked": [(-0.98, -0.15), (-0.98, 0.14)]}[
        traits.tail
    ]
    quills = [body.place(np.array([(-0.4, 0.0), end])) for end in ends]
    bird.tint(quills, mix(plumage.wing, PALE, 0.35), width=0.007, opacity=0.7, clip=outline)


def _head_pose(body: Pose, rng: np.random.Generator) -> Pose:
    """The head keeps nearly level, however the body leans; its own coordinates start at its centre, one unit = its
    radius.
    """
    at = body.place(np.array([(0.42, -0.2)]))[0]
    return Pose((float(at[0]), float(at[1])), 0.205 * body.scale, turn=rng.normal(0, 0.16), flip=body.flip)


def _bill(bird: Canvas, traits: Traits, head: Pose, scale: float) -> None:
    """In head radii, pointing right."""
    shapes = {
        "cone": ([(0.86, -0.36), (1.1, -0.34), (1.72, 0.12), (1.1, 0.42), (0.82, 0.46)], [(0.9, 0.06), (1.68, 0.12)]),
        "needle": ([(0.9, -0.14), (1.0, -0.14), (2.5, 0.05), (1.0, 0.2), (0.9, 0.2)], [(0.9, 0.04), (2.4, 0.05)]),
        "hook": (
            [(0.86, -0.3), (1.2, -0.34), (1.75, -0.12), (1.86, 0.42), (1.66, 0.2), (1.2, 0.28), (0.84, 0.36)],
            [(0.9, 0.1), (1.65, 0.16)],
        ),
        "sickle": (
            [(0.9, -0.2), (1.1, -0.24), (1.75, 0.0), (2.25, 0.72), (1.65, 0.26), (1.1, 0.14), (0.88, 0.24)],
            [(0.9, 0.0), (1.5, 0.08), (1.9, 0.3)],
        ),
    }
    outline, gape = shapes[traits.bill]
    colour = YELLOW if traits.bill_colour == "yellow" else DARK
    bird.fill(head.place(np.array(outline)), colour)
    bird.tint([head.place(np.array(gape))], mix(colour, (120, 90, 70), 0.7), width=0.02 * scale)


def _body(bird: Canvas, plumage: Plumage, body: Pose, head: Pose) -> None:
    outline = body.place(
        curve(
            [
                (-0.52, -0.05), (-0.25, -0.18), (0.05, -0.26),
                (0.27, -0.32), (0.42, -0.30), (0.55, -0.13), (0.52, 0.06),
                (0.34, 0.21), (0.05, 0.27), (-0.25, 0.19), (-0.5, 0.06),
            ]
        )
    )  # fmt: skip
    skull = head.place(ellipse(0, 0, 1.03, 0.97))
    bird.fill(outline, plumage.back)
    bird.fill(skull, plumage.back)
    pale = body.place(
        curve(
            [
                (0.66, -0.16),
                (0.40, -0.06),
                (0.30, 0.02),
                (0.0, 0.08),
                (-0.5, 0.05),
                (-0.4, 0.3),
                (0.2, 0.4),
                (0.7, 0.15),
            ]
        )
    )
    bird.tint([pale], plumage.breast, blur=0.012)
    cap = head.place(curve([(-1.2, -0.2), (-0.5, -1.1), (0.5, -1.1), (1.1, -0.2), (0.3, -0.35), (-0.5, -0.2)]))
    bird.tint([cap], mix(plumage.back, DARK, 0.35), opacity=0.8, blur=0.008)


def _breast_marks(bird: Canvas, traits: Traits, body: Pose, rng: np.random.Generator) -> None:
    """Round spots or lengthwise streaks on the pale underside, each individual's a little different."""
    if traits.breast == "plain":
        return
    rows = [(0.49, -0.08), (0.42, -0.01), (0.50, 0.03), (0.33, 0.06), (0.43, 0.10), (0.24, 0.11),
            (0.34, 0.15), (0.13, 0.15), (0.24, 0.20),
            (0.02, 0.18), (0.12, 0.23), (-0.10, 0.17)]  # fmt: skip
    marks = np.array(rows) + rng.normal(0, 0.008, (len(rows), 2))
    if traits.breast == "spots":
        shapes = [body.place(ellipse(x, y, 0.026, 0.026, steps=12)) for x, y in marks]
        bird.tint(shapes, (56, 40, 36))
    else:
        shapes = [body.place(np.array([(x + 0.035, y - 0.03), (x - 0.045, y + 0.02)])) for x, y in marks]
        bird.tint(shapes, (56, 40, 36), width=0.020 * body.scale)


def _wing(bird: Canvas, traits: Traits, plumage: Plumage, body: Pose) -> None:
    outline = body.place(
        curve([(0.30, -0.10), (0.14, -0.21), (-0.16, -0.20), (-0.66, -0.01), (-0.34, 0.07), (0.02, 0.12), (0.22, 0.06)])
    )
    bird.tint([outline], mix(plumage.wing, DARK, 0.6), opacity=0.5, blur=0.012)
    bird.fill(outline, plumage.wing)
    quills = [
        body.place(curve([(-0.02, y), (-0.3, y * 0.8), (-0.6, 0.0)], closed=False)) for y in (-0.1, -0.04, 0.02, 0.07)
    ]
    bird.tint(quills, mix(plumage.wing, PALE, 0.28), width=0.008, opacity=0.7, clip=outline)
    coverts = body.place(curve([(0.30, -0.10), (0.14, -0.22), (-0.05, -0.2), (-0.0, 0.12), (0.22, 0.07)]))
    bird.tint([coverts], plumage.back, opacity=0.75, blur=0.01, clip=outline)
    bars = [[(0.03, -0.24), (0.0, -0.05), (0.05, 0.14)], [(-0.13, -0.22), (-0.17, -0.05), (-0.12, 0.12)]][
        : traits.wing_bars
    ]
    bird.tint([body.place(curve(bar, closed=False)) for bar in bars], PALE, width=0.06 * body.scale, clip=outline)


def _eye(bird: Canvas, traits: Traits, head: Pose) -> None:
    if traits.eye_ring:
        bird.fill(head.place(ellipse(0.36, -0.12, 0.38, 0.36)), PALE)
    bird.fill(head.place(ellipse(0.36, -0.12, 0.23, 0.22)), (18, 14, 14))
    bird.fill(head.place(ellipse(0.43, -0.2, 0.075, 0.075, steps=10)), (255, 255, 255))
