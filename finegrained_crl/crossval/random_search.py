"""Settings drawn at random from a space, the same ones for every loss.

A draw depends on the seed and on its number alone: a larger budget keeps the settings of a smaller one.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from finegrained_crl.crossval.plan import parse_grid
from finegrained_crl.errors import FinegrainedError

MOST_TRIES = 200
"""Draws in a row that were there before; then the space holds no more."""

EXPECTED = "expected SETTING=LOW..HIGH[:log] or SETTING=VALUE,VALUE, e.g. lr=1e-4..1e-1:log epochs=5,10,20"


@dataclass(frozen=True)
class Range:
    """Numbers between two ends.

    Attributes:
        low: smallest.
        high: largest.
        is_log: drawn evenly in their logarithm.
        is_whole: whole numbers, both ends among them.
    """

    low: float
    high: float
    is_log: bool = False
    is_whole: bool = False

    def at(self, share: float) -> float | int:
        """The number at a share in [0, 1) of the way, to three digits: more would only make names longer."""
        low, high = self.low, self.high + self.is_whole
        value = low * (high / low) ** share if self.is_log else low + share * (high - low)
        return min(math.floor(value), int(self.high)) if self.is_whole else float(f"{value:.3g}")


@dataclass(frozen=True)
class Choice:
    """Some values."""

    values: tuple[Any, ...]

    def at(self, share: float) -> Any:
        """The value at a share in [0, 1) of the list."""
        return self.values[int(share * len(self.values))]


Space = dict[str, Range | Choice]


def parse_space(words: list[str]) -> Space:
    """`["lr=1e-4..1e-1:log", "epochs=5,10"]` as what is drawn.

    Raises:
        FinegrainedError: neither a range nor values, or a setting twice.

    >>> parse_space(["lr=1e-4..1e-1:log", "epochs=5,10"])["lr"]
    Range(low=0.0001, high=0.1, is_log=True, is_whole=False)
    """
    space: Space = {}
    for word in words:
        name, _, text = word.partition("=")
        key = name.lstrip("-").replace("-", "_")
        if key in space:
            raise FinegrainedError(f"--space {word}: the same setting twice; give each once")
        space[key] = _range(word, text) if ".." in text else _choice(word)
    return space


def _choice(word: str) -> Choice:
    try:
        ((_, values),) = parse_grid([word]).items()
    except FinegrainedError:
        raise FinegrainedError(f"--space {word}: {EXPECTED}") from None
    return Choice(tuple(values))


def _range(word: str, text: str) -> Range:
    ends, colon, scale = text.partition(":")
    first, _, last = ends.partition("..")
    try:
        low, high = float(first), float(last)
    except ValueError:
        raise FinegrainedError(f"--space {word}: {EXPECTED}") from None
    is_log = scale == "log"
    if not (-math.inf < low < high < math.inf) or (colon and not is_log) or (is_log and low <= 0):
        raise FinegrainedError(f"--space {word}: LOW must be below HIGH, and above 0 for :log; {EXPECTED}")
    return Range(low, high, is_log, first.isdecimal() and last.isdecimal())


def draw_settings(space: Space, budget: int, seed: int) -> list[dict[str, Any]]:
    """So many different settings of a space.

    Args:
        space: what is drawn.
        budget: how many.
        seed: same seed, same settings.
    Returns:
        setting -> value, for each; fewer than `budget` where the space holds no more.
    """
    drawn: dict[tuple[Any, ...], dict[str, Any]] = {}
    tries = 0
    for number in itertools.count():
        shares = np.random.default_rng([seed, number]).random(len(space))
        chosen = {name: part.at(float(share)) for (name, part), share in zip(space.items(), shares, strict=True)}
        tries = tries + 1 if tuple(chosen.values()) in drawn else 0
        drawn.setdefault(tuple(chosen.values()), chosen)
        if len(drawn) == budget or tries == MOST_TRIES:
            break
    return list(drawn.values())
