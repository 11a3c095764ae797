"""One portrait: age shows in proportions, lines and hair; skin and eye colour, pose, smile and light say nothing about
it.

Face coordinates: the origin lies between the eyes and the mouth, x to the right, y down, the chin of an adult near y =
1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from finegrained_crl_datasets.drawing.canvas import Canvas, Points, Pose, curve, ellipse, hsv, mix
from finegrained_crl_datasets.drawing.person import Person
from finegrained_crl_datasets.drawing.scenery import backdrop

if TYPE_CHECKING:
    from PIL.Image import Image


def draw_face(person: Person, rng: np.random.Generator, size: int) -> tuple[Image, float]:
    """Draw one photo of a person.

    Args:
        person: who.
        rng: source of pose, expression, light, clothes and scenery.
        size: side of the picture in pixels.
    Returns:
        the RGB picture and the yaw of the head in degrees.
    """
    yaw, smile = float(np.clip(rng.normal(0, 0.35), -0.9, 0.9)), rng.uniform(-0.2, 1)
    centre = (0.5 + rng.normal(0, 0.06), 0.52 + rng.normal(0, 0.05))
    pose = Pose(centre, rng.uniform(0.27, 0.41), turn=float(np.clip(rng.normal(0, 0.22), -0.5, 0.5)))
    light = (rng.uniform(-1, 1), -0.8)
    canvas = Canvas(size, backdrop(rng, size))
    layers = [_shoulders(person, pose, rng, size), *_head_layers(person, pose, yaw, smile, light, size)]
    for layer in layers:
        canvas.put(layer)
    warm = rng.uniform(-0.05, 0.05)
    picture = canvas.finish(
        rng, blur=rng.uniform(0.1, 0.5), gain=rng.uniform(0.82, 1.12) * (1 + warm), noise=rng.uniform(0.5, 3)
    )
    return picture, yaw * 40


def _head_layers(
    person: Person, pose: Pose, yaw: float, smile: float, light: tuple[float, float], size: int
) -> list[Canvas]:
    """Back hair, head with its features, front hair, glasses: each a canvas, from back to front."""
    turned = _Turned(pose, yaw)
    back, head, front = Canvas(size), Canvas(size), Canvas(size)
    _back_hair(back, person, turned)
    _skull(head, person, turned)
    head.shade(light, depth=0.09, strength=0.3)
    _cheeks(head, person, turned)
    _eyes(head, person, turned, smile)
    _nose(head, person, turned)
    _beard(head, person, turned)
    _mouth(head, person, turned, smile)
    _wrinkles(head, person, turned)
    _front_hair(front, person, turned)
    front.shade(light, depth=0.05, strength=0.25)
    if person.glasses:
        _glasses(front, person, turned)
    return [back, head, front]


@dataclass(frozen=True)
class _Turned:
    """Places face coordinates on the picture, with the head turned by `yaw` (-1 .. 1, right is positive)."""

    pose: Pose
    yaw: float

    def flat(self, points: Points) -> Points:
        """The head's outline: hardly changed by the yaw."""
        return self.pose.place(points + np.array((0.05 * self.yaw, 0)))

    def face(self, points: Points) -> Points:
        """What lies on the front of the face: moves with the nose, and is foreshortened."""
        x, y = points[:, 0], points[:, 1]
        moved = x * (1 - 0.12 * abs(self.yaw)) + self.yaw * 0.24 * np.clip(1 - 0.7 * x**2, 0.2, 1)
        return self.pose.place(np.stack([moved, y], axis=1))


def _shoulders(person: Person, pose: Pose, rng: np.random.Generator, size: int) -> Canvas:
    layer = Canvas(size)
    cloth = hsv(rng.uniform(0, 360), rng.uniform(0.1, 0.6), rng.uniform(0.3, 0.8))
    wide, neck = 0.75 + 0.5 * person.growth, 0.22 + 0.16 * person.growth * (1.15 if person.gender == "m" else 0.9)
    top = 1.18
    layer.fill(
        pose.place(
            curve(
                [
                    (-wide, 2.2),
                    (-wide, 1.6),
                    (-neck * 1.6, top + 0.1),
                    (neck * 1.6, top + 0.1),
                    (wide, 1.6),
                    (wide, 2.2),
                ]
            )
        ),
        cloth,
    )
    layer.fill(
        pose.place(np.array([(-neck, 0.5), (neck, 0.5), (neck * 1.1, 1.3), (0, 1.5), (-neck * 1.1, 1.3)])), person.skin
    )
    chin = pose.place(ellipse(0, 0.85, neck * 1.3, 0.4))
    layer.tint([chin], mix(person.skin, (40, 20, 20), 0.6), opacity=0.5, blur=0.02)
    return layer


def _outline(person: Person) -> Points:
    """The face's edge: round and wide in a child, longer with a jaw in an adult, sagging at the jaw in old age."""
    g, sag = person.growth, 0.10 * max(person.wear, 0)
    wide = (0.93 - 0.15 * g) * person.width
    jaw = (0.80 - 0.12 * g + (0.07 * g if person.gender == "m" else 0.0) + sag) * person.width
    chin, chin_half = 0.80 + 0.22 * g, 0.26 - 0.03 * g + sag * 0.4
    dome = -0.98 - 0.10 * (1 - g)
    half = [
        (0.0, dome),
        (0.5 * wide, dome + 0.10),
        (0.9 * wide, dome + 0.46),
        (wide, -0.05),
        (jaw + 0.06, 0.38),
        (jaw * 0.80, 0.62 + 0.14 * g),
        (chin_half, chin),
    ]
    right = np.array([*half, (0.0, chin + 0.02)])
    left = right[-2:0:-1] * (-1, 1)
    return curve(np.vstack([right, left]))


def _skull(head: Canvas, person: Person, turned: _Turned) -> None:
    g = person.growth
    wide, ear = (0.93 - 0.15 * g) * person.width, 0.17 + 0.04 * max(person.wear, 0)
    for side in (-1, 1):
        shift = side * (wide + 0.02) - 0.07 * turned.yaw
        head.fill(turned.flat(ellipse(shift, 0.1 + 0.08 * (1 - g), 0.11, ear)), mix(person.skin, (170, 60, 40), 0.16))
    head.fill(turned.flat(_outline(person)), person.skin)


def _cheeks(head: Canvas, person: Person, turned: _Turned) -> None:
    rosy = 0.5 - 0.32 * person.growth
    spots = [turned.face(ellipse(side * 0.47, 0.34, 0.2, 0.15)) for side in (-1, 1)]
    head.tint(spots, mix(person.skin, (226, 84, 70), 0.5), opacity=rosy, blur=0.03)


def _eye_level(person: Person) -> float:
    """A child's eyes lie lower in the face."""
    return 0.16 - 0.24 * person.growth


def _eyes(head: Canvas, person: Person, turned: _Turned, smile: float) -> None:
    g, y = person.growth, _eye_level(person)
    half, open_ = 0.205 - 0.04 * g, (0.155 - 0.07 * g) * (1 - 0.16 * smile) * (1 - 0.22 * min(person.wear, 1))
    lid = mix(person.skin, (50, 20, 20), 0.55)
    for side in (-1, 1):
        x = side * (0.40 - 0.05 * g)
        white = turned.face(ellipse(x, y, half, open_))
        head.tint([turned.face(ellipse(x, y - 0.02, half * 1.25, open_ * 1.7))], lid, opacity=0.28, blur=0.015)
        head.tint([white], (244, 242, 238))
        iris = min(0.125, open_ * 1.25)
        head.tint([turned.face(ellipse(x + 0.04 * turned.yaw, y, iris, iris))], person.iris, clip=white)
        head.tint([turned.face(ellipse(x + 0.04 * turned.yaw, y, iris * 0.5, iris * 0.5))], (12, 10, 10), clip=white)
        head.tint(
            [turned.face(ellipse(x + 0.04 * turned.yaw + 0.035, y - 0.04, 0.028, 0.028, steps=10))], (255, 255, 255)
        )
        head.tint([turned.face(_arc(x, y, half * 1.05, -open_))], mix(lid, (20, 10, 10), 0.5), width=0.012)
        brow = _arc(x, y - open_ - 0.10 - 0.03 * g, half * 1.2, -0.07)
        head.tint(
            [turned.face(brow)],
            mix(person.hair, (30, 20, 16), 0.3),
            width=0.008 + 0.014 * g,
            opacity=0.3 + 0.5 * g,
            blur=0.003,
        )


def _nose(head: Canvas, person: Person, turned: _Turned) -> None:
    g = person.growth
    top, tip = _eye_level(person) + 0.05, 0.34 + 0.06 * g + 0.04 * max(person.wear, 0)
    wide = 0.10 + 0.05 * g + 0.03 * max(person.wear, 0)
    dark = mix(person.skin, (70, 20, 10), 0.5)
    side = -1 if turned.yaw > 0 else 1
    head.tint(
        [turned.face(np.array([(0.05 * side, top), (0.09 * side, tip - 0.12), (wide * side, tip)]))],
        dark,
        width=0.014,
        opacity=0.15 + 0.35 * g,
        blur=0.008,
    )
    head.tint([turned.face(_arc(0, tip, wide, 0.05))], dark, width=0.010, opacity=0.75, blur=0.003)
    head.tint([turned.face(ellipse(0, tip - 0.07, 0.05, 0.05))], (255, 250, 240), opacity=0.3, blur=0.012)
    head.tint(
        [turned.face(ellipse(s * wide * 0.5, tip + 0.015, 0.028, 0.016, steps=10)) for s in (-1, 1)], dark, opacity=0.8
    )


def _mouth(head: Canvas, person: Person, turned: _Turned, smile: float) -> None:
    g = person.growth
    y, half = 0.56 + 0.08 * g, 0.20 + 0.10 * g
    thick = (0.075 - 0.035 * min(max(person.wear, 0), 1)) * (1.15 if person.gender == "f" else 0.9)
    bend = 0.09 * smile
    lip = mix(person.skin, (176, 50, 56), 0.55 - 0.2 * min(max(person.wear, 0), 1))
    upper, lower = _arc(0, y, half, bend - thick * 0.6), _arc(0, y, half, bend + thick * 1.5)
    head.tint([turned.face(np.vstack([upper, lower[::-1]]))], lip, blur=0.003)
    if smile > 0.65 and person.age > 1:
        teeth = np.vstack([_arc(0, y, half * 0.8, bend - 0.01), _arc(0, y, half * 0.8, bend + thick * 0.7)[::-1]])
        head.tint([turned.face(teeth)], (248, 244, 236))
    head.tint([turned.face(_arc(0, y, half * 1.05, bend))], mix(lip, (40, 10, 14), 0.65), width=0.009)


def _wrinkles(head: Canvas, person: Person, turned: _Turned) -> None:
    """Forehead lines, crow's feet, folds from nose to mouth, bags under the eyes, and spots, deeper with age."""
    wear, y = min(max(person.wear, 0), 1.2), _eye_level(person)
    if wear < 0.05:
        return
    dark = mix(person.skin, (56, 20, 10), 0.62)
    forehead = [_arc(0, -0.36 - 0.10 * k, 0.36 - 0.03 * k, -0.03) for k in range(1 + round(2.6 * wear))]
    feet = [
        np.array([(s * 0.56, y + 0.02 * k), (s * 0.69, y - 0.05 + 0.07 * k)])
        for s in (-1, 1)
        for k in range(round(3.2 * wear))
    ]
    folds = [curve([(s * 0.17, 0.38), (s * 0.32, 0.50), (s * 0.37, 0.70)], closed=False) for s in (-1, 1)]
    bags = [_arc(s * 0.35, y + 0.09, 0.16, 0.07) for s in (-1, 1)]
    jowls = [curve([(s * 0.40, 0.76), (s * 0.46, 0.90)], closed=False) for s in (-1, 1)] if wear > 0.6 else []
    for lines, opacity in ((forehead, 0.6), (feet, 0.65), (folds, 0.75), (bags, 0.6), (jowls, 0.6)):
        placed = [turned.face(line) for line in lines]
        head.tint(placed, dark, width=0.0085, opacity=min(opacity * wear**0.7, 0.8), blur=0.002)
        head.tint(
            [line + np.array((0, 0.008)) for line in placed],
            (255, 244, 230),
            width=0.006,
            opacity=0.18 * wear,
            blur=0.003,
        )
    if person.age > 58:
        spots = [
            turned.face(ellipse(0.62 * np.cos(k * 2.4), -0.1 + 0.5 * np.sin(k * 1.7), 0.025, 0.02, steps=10))
            for k in range(7)
        ]
        head.tint(spots, mix(person.skin, (110, 60, 30), 0.6), opacity=0.45, blur=0.004)


def _beard(head: Canvas, person: Person, turned: _Turned) -> None:
    if person.beard:
        jaw = curve(
            [(-0.72, 0.22), (-0.5, 0.50), (0.0, 0.46), (0.5, 0.50), (0.72, 0.22), (0.72, 0.8), (0, 1.2), (-0.72, 0.8)]
        )
        head.tint([turned.face(jaw)], mix(person.hair, person.skin, 0.15), opacity=person.beard, blur=0.014)


def _back_hair(back: Canvas, person: Person, turned: _Turned) -> None:
    if person.hair_length == "short":
        return
    end = 0.75 if person.hair_length == "bob" else 1.5
    shape = curve(
        [
            (0, -1.18),
            (0.7, -1.0),
            (1.0, -0.3),
            (1.0, 0.4),
            (0.92, end),
            (0.4, end + 0.05),
            (-0.4, end + 0.05),
            (-0.92, end),
            (-1.0, 0.4),
            (-1.0, -0.3),
            (-0.7, -1.0),
        ]
    )
    back.fill(turned.flat(shape), mix(person.hair, (10, 8, 8), 0.35))
    strands = [turned.flat(np.array([(x * 0.8, -0.6), (x, end - 0.1)])) for x in np.linspace(-0.95, 0.95, 14)]
    back.tint(strands, person.hair, width=0.012, opacity=0.5, blur=0.004)


def _front_hair(front: Canvas, person: Person, turned: _Turned) -> None:
    """The cap of hair: its outer edge is the skull's, its inner edge the hairline, which goes back at the temples."""
    wide, r = (0.95 - 0.13 * person.growth) * person.width, person.recede
    thin = 0.0 if person.age > 2.5 else 1.0
    temple, top = -0.25 - 0.35 * r - 0.35 * thin, -0.62 - 0.26 * r - 0.16 * thin
    lift = 0.16 * (1 - 0.75 * r) - 0.02 * thin
    outer = [
        (-wide, 0.05),
        (-wide - 0.05, -0.4),
        (-0.72 * wide, -0.9 - lift * 0.6),
        (0, -1.0 - lift),
        (0.72 * wide, -0.9 - lift * 0.6),
        (wide + 0.05, -0.4),
        (wide, 0.05),
    ]
    inner = [
        (0.88 * wide, -0.12),
        (0.80 * wide, temple - 0.08 * r),
        (0.42 * wide, top - 0.22 * r),
        (0.05, top + 0.05),
        (-0.45 * wide, top - 0.22 * r),
        (-0.80 * wide, temple - 0.08 * r),
        (-0.88 * wide, -0.12),
    ]
    shape = turned.flat(curve(np.array(outer + inner)))
    colour = mix(person.hair, person.skin, 0.55 * thin + 0.2 * max(r - 0.5, 0))
    front.fill(shape, colour)
    strands = [
        turned.flat(np.array([(0.1 + 0.55 * x, -1.15), (x, -0.4 + 0.2 * abs(x))])) for x in np.linspace(-1, 1, 17)
    ]
    front.tint(strands, mix(colour, (255, 240, 220), 0.4), width=0.006, opacity=0.45, blur=0.003, clip=shape)


def _glasses(front: Canvas, person: Person, turned: _Turned) -> None:
    y = _eye_level(person)
    for side in (-1, 1):
        rim = turned.face(ellipse(side * 0.37, y + 0.02, 0.27, 0.21))
        front.line(np.vstack([rim, rim[:1]]), 0.012, (36, 32, 36))
        front.line(turned.face(np.array([(side * 0.64, y - 0.02), (side * 0.86, y - 0.06)])), 0.012, (36, 32, 36))
    front.line(turned.face(np.array([(-0.10, y), (0.10, y)])), 0.012, (36, 32, 36))


def _arc(x: float, y: float, half: float, bend: float) -> Points:
    """A shallow arc of half length `half` around (x, y) whose middle is `bend` lower."""
    t = np.linspace(-1, 1, 11)
    return np.stack([x + half * t, y + bend * (1 - t**2)], axis=1)
