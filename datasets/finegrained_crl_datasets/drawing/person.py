"""Who is drawn: an invented identity, and how its age shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from finegrained_crl_datasets.drawing.canvas import Colour, mix

SKINS: tuple[Colour, ...] = (
    (247, 214, 188),
    (236, 192, 158),
    (219, 168, 128),
    (188, 132, 94),
    (148, 98, 68),
    (108, 70, 50),
)
HAIRS: tuple[Colour, ...] = (
    (44, 32, 28),
    (74, 50, 34),
    (116, 76, 44),
    (176, 126, 66),
    (142, 62, 36),
    (24, 22, 26),
    (202, 172, 120),
)
IRISES: tuple[Colour, ...] = ((84, 56, 36), (70, 104, 140), (86, 116, 76), (60, 42, 30), (112, 96, 56))
GREY: Colour = (206, 204, 200)


@dataclass(frozen=True)
class Person:
    """What stays the same in all photos of one person.

    Attributes:
        age: years.
        gender: "f" or "m".
        skin: colour of the skin.
        hair: colour of the hair, greyed by age.
        iris: colour of the eyes.
        hair_length: "short", "bob" or "long".
        recede: how far the hairline has gone back, 0..1.
        beard: opacity of the beard, 0..1.
        glasses: whether they are worn.
        width: personal factor of the face's width.
        lines: personal factor of how old the face looks for its age.
    """

    age: float
    gender: Literal["f", "m"]
    skin: Colour
    hair: Colour
    iris: Colour
    hair_length: Literal["short", "bob", "long"]
    recede: float
    beard: float
    glasses: bool
    width: float
    lines: float

    @property
    def growth(self) -> float:
        """0 for a new-born, 1 for an adult; some look older or younger than they are."""
        return float(np.clip(self.age / 19 * self.lines, 0, 1) ** 0.75)

    @property
    def wear(self) -> float:
        """0 below thirty, 1 at eighty: how much age shows on the skin."""
        return float(np.clip((self.age - 27) / 48, 0, 1.1)) * self.lines


def invent_person(age: float, gender: Literal["f", "m"], rng: np.random.Generator) -> Person:
    """Draw an identity; greying, hair loss, beard, hair length and glasses depend on age or gender, the rest on
    neither.
    """
    adult_man = gender == "m" and age > 18
    # Some dye their hair, and some of any age are fair: grey alone does not tell.
    grey = float(np.clip((age - 36) / 34 + rng.normal(0, 0.12), 0, 0.95)) if age > 30 and rng.random() < 0.85 else 0.0
    hair = HAIRS[rng.integers(len(HAIRS))]
    styles: tuple[Literal["short", "bob", "long"], ...] = (
        ("bob", "long", "long") if gender == "f" else ("short", "short", "short")
    )
    return Person(
        age=age,
        gender=gender,
        skin=SKINS[rng.integers(len(SKINS))],
        hair=mix(hair, GREY, grey),
        iris=IRISES[rng.integers(len(IRISES))],
        hair_length=styles[rng.integers(3)] if age > 3 else "short",
        recede=float(np.clip((age - 30) / 45 + rng.normal(0, 0.25), 0, 1)) if adult_man else 0.0,
        beard=float(rng.choice([0, 0, 0.25, 0.7])) if adult_man else 0.0,
        glasses=bool(rng.random() < (0.2 if age > 6 else 0.0)),
        width=float(rng.uniform(0.94, 1.06)),
        lines=float(rng.uniform(0.82, 1.18)),
    )
