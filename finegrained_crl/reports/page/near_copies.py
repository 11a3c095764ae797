"""Pictures on two sides of the split of which one is a copy of the other: what makes a score too good."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finegrained_crl.data.near_duplicates import NearPair
from finegrained_crl.reports.page.thumbnails import Thumbnails
from finegrained_crl.training.run_folder import RunFolder

UNASKED = 1500
"""Pictures that are looked at without being asked: more take longer than the page."""
SHOWN = 8


@dataclass(frozen=True)
class NearCopies:
    """What was found.

    Attributes:
        text: one sentence.
        pairs: the most alike: the two sides, how one differs, and both pictures.
    """

    text: str
    pairs: list[dict[str, Any]]


def near_copies(run: Path, root: Path | None, pictures: Thumbnails, *, asked: bool) -> NearCopies | None:
    """Look for near-copies across the sides of a study's split.

    Args:
        run: a finished run, which keeps the table of pictures.
        root: folder of the pictures; None where none may be shown.
        pictures: makes the thumbnails.
        asked: look however many there are.
    Returns:
        None where there is nothing to look at.
    """
    data = RunFolder(run).read_data() if root and root.is_dir() else None
    if root is None or data is None:
        return None
    table = data.require_pictures()
    if len(table) > UNASKED and not asked:
        return NearCopies(f"{len(table):,} pictures: not looked for; fgcrl report --near-copies looks.", [])
    sides = dict(zip(table["path"], table["fold"].where(table["fold"] != "", table["split"]), strict=True))
    pairs = [pair for pair in _pairs(root, list(sides)) if sides[pair.first] != sides[pair.second]]
    pairs.sort(key=lambda pair: (-pair.likeness, pair.first, pair.second))
    what = "folds" if (table["fold"] != "").any() else "parts"
    counted = "1 pair" if len(pairs) == 1 else f"{len(pairs)} pairs"
    text = f"{counted} of near-copies in different {what}, of {len(sides):,} pictures."
    return NearCopies(text, [_shown(pair, sides, pictures) for pair in pairs[:SHOWN]])


def _pairs(root: Path, paths: list[str]) -> list[NearPair]:
    from finegrained_crl.data.audit import equal_pairs, read_all
    from finegrained_crl.data.near_duplicates import near_duplicates

    looked = read_all(root, paths, True, None)
    return [*equal_pairs(looked.digests), *near_duplicates(looked.looks, looked.digests)]


def _shown(pair: NearPair, sides: dict[str, Any], pictures: Thumbnails) -> dict[str, Any]:
    two = [pair.first, pair.second]
    return {
        "sides": [str(sides[path]) for path in two],
        "how": pair.how or "the same view",
        "pictures": [pictures.of(path) for path in two],
        "names": two,
    }
