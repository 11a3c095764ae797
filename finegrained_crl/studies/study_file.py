"""A study file: a table of a paper as parts (one data set each), settings, axes, scales and published numbers.

title      one line
source     paper
settings   flags of `fgcrl crossval` (of a recipe, or what is compared) that all parts share
parts      name -> flags
scales     name -> flags that replace those of the parts
published  rows of {part, variant, metric, value, where}
beside     rows of the same form, of methods that the study does not train; `variant` is their name
sizes      part -> [training pictures, test pictures]
notes      what is not as printed, and why
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from finegrained_crl.data.structured import read_yaml
from finegrained_crl.errors import FinegrainedError, nearest

KEYS = frozenset({"title", "source", "settings", "parts", "scales", "published", "beside", "sizes", "notes"})
AS_PRINTED = "paper"
ROW = frozenset({"part", "variant", "metric", "value", "where"})
METRICS = ("error", "accuracy")


@dataclass(frozen=True)
class StudyFile:
    """A table of a paper.

    Attributes:
        name: OWNER/NAME.
        title: one line.
        source: the paper.
        settings: flags of all parts.
        parts: name -> flags.
        scales: name -> flags that replace those of a part.
        published: rows of part, variant, metric, value, where.
        beside: likewise, of other methods.
        sizes: part -> pictures for training and test.
        notes: what is not as printed.
    """

    name: str
    title: str
    source: str
    settings: dict[str, Any]
    parts: dict[str, dict[str, Any]]
    scales: dict[str, dict[str, Any]]
    published: list[dict[str, Any]] = field(default_factory=list)
    beside: list[dict[str, Any]] = field(default_factory=list)
    sizes: dict[str, list[int]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def plan(self, part: str | None, scale: str) -> dict[str, Any]:
        """Flags of a part at a scale; decays move in proportion where the scale has fewer epochs.

        Raises:
            FinegrainedError: no such part or scale, or several parts and none named.
        """
        if part is None and len(self.parts) > 1:
            raise FinegrainedError(f"--study {self.name} has the parts {', '.join(self.parts)}: choose one with --part")
        chosen = part or next(iter(self.parts))
        if chosen not in self.parts:
            raise FinegrainedError(f"--part {chosen}: {self.name} has no such part; {nearest(chosen, self.parts)}")
        if scale not in self.scales:
            raise FinegrainedError(f"--scale {scale}: {nearest(scale, self.scales)}")
        whole = {**self.settings, **self.parts[chosen]}
        changed = {**whole, **self.scales[scale]}
        if "decay_epochs" in whole and "decay_epochs" not in self.scales[scale]:
            share = changed["epochs"] / whole["epochs"]
            changed["decay_epochs"] = sorted({max(1, round(epoch * share)) for epoch in whole["decay_epochs"]})
        return changed


def read_study_file(name: str, path: Path) -> StudyFile:
    """The study of a file.

    Raises:
        FinegrainedError: not YAML, or a key that is missing, unknown or of another kind.
    """
    values = read_yaml(path, "a study")
    unknown = [str(key) for key in values if key not in KEYS]
    if unknown:
        raise FinegrainedError(f"{path}: unknown key '{unknown[0]}'; {nearest(unknown[0], sorted(KEYS))}")
    parts, scales = _mapping(path, values, "parts"), _mapping(path, values, "scales")
    if not parts or AS_PRINTED not in scales:
        raise FinegrainedError(f"{path}: a study needs parts, and scales of which one is '{AS_PRINTED}'")
    settings = values.get("settings") or {}
    _check_rows(path, [*(values.get("published") or []), *(values.get("beside") or [])], parts)
    return StudyFile(
        name,
        title=str(values.get("title", "")),
        source=str(values.get("source", "")),
        settings=settings,
        parts=parts,
        scales=scales,
        published=values.get("published") or [],
        beside=values.get("beside") or [],
        sizes=values.get("sizes") or {},
        notes=values.get("notes") or [],
    )


def _check_rows(path: Path, rows: list[Any], parts: dict[str, Any]) -> None:
    for row in rows:
        if not isinstance(row, dict) or set(row) != ROW:
            raise FinegrainedError(f"{path}: a published number needs exactly {', '.join(sorted(ROW))}; got {row}")
        if row["part"] not in parts or row["metric"] not in METRICS:
            raise FinegrainedError(f"{path}: a published number of no part, or neither error nor accuracy: {row}")


def _mapping(path: Path, values: dict[str, Any], key: str) -> dict[str, dict[str, Any]]:
    entries = values.get(key) or {}
    if not isinstance(entries, dict) or not all(isinstance(entry, dict | None) for entry in entries.values()):
        raise FinegrainedError(f"{path}: '{key}' must be a mapping of mappings")
    return {str(name): dict(entry or {}) for name, entry in entries.items()}
