"""Which study file a study was made from, and where its settings are not those that were printed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from finegrained_crl.training.recipe import COMPONENTS, Recipe

NOT_COMPARED = frozenset(
    [
        "data",
        "split",
        "fold",
        "seed",
        "dataset",
        "precision",
        "memory_format",
        "compile",
        "convert_images",
        "missing",
        "allow_leaks",
    ]
)
"""Where and how a run ran, and what the protocol says of its data in words."""


@dataclass(frozen=True)
class Origin:
    """Where a study comes from.

    Attributes:
        study: name of the study file, OWNER/NAME.
        part: of that study.
        scale: "paper", or a shorter one.
        departures: settings that are not as printed, one text each.
    """

    study: str
    part: str
    scale: str
    departures: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """What study.yaml holds."""
        values = {"study": self.study, "part": self.part, "scale": self.scale}
        return {**values, "departures": list(self.departures)}


def origin_from_dict(values: dict[str, Any] | None) -> Origin | None:
    """Read back `Origin.as_dict`; None where a study was made without a file."""
    if values is None:
        return None
    return Origin(values["study"], values["part"], values["scale"], tuple(map(str, values["departures"])))


def departures(asked: Mapping[str, Recipe], printed: Mapping[str, Recipe]) -> tuple[str, ...]:
    """Settings that are not as printed: of each variant beside the one of its name, or of its loss.

    Args:
        asked: variant -> recipe, as they run.
        printed: variant -> recipe, of the study file at the scale of the paper.

    >>> departures({"ce": Recipe(epochs=2)}, {"ce": Recipe(epochs=300)})
    ('epochs 2, not 300',)
    """
    texts: dict[str, None] = {}
    for name, recipe in asked.items():
        twin = printed.get(name) or next((other for other in printed.values() if other.loss == recipe.loss), None)
        if twin is None:
            continue
        own, theirs = _flat(recipe), _flat(twin)
        for setting in dict.fromkeys([*own, *theirs]):
            if own.get(setting) != theirs.get(setting):
                texts[f"{setting} {_text(own.get(setting))}, not {_text(theirs.get(setting))}"] = None
    return tuple(sorted(texts))


def _flat(recipe: Recipe) -> dict[str, Any]:
    """Setting -> value, options of components as "loss.alpha"."""
    flat: dict[str, Any] = {}
    for key, value in recipe.as_dict().items():
        if key in NOT_COMPARED:
            continue
        if key in COMPONENTS:
            flat |= {f"{key}.{option}": setting for option, setting in value.items()}
        else:
            flat[key] = value
    return flat


def _text(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
