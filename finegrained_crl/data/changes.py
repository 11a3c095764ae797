"""What changed between two states of a data set, in one line each: for refusing to go on as if nothing had."""

from __future__ import annotations

from typing import Any

import pandas as pd

from finegrained_crl.data.fingerprint import DataFingerprint

DIGESTS = {
    "rows": "the list of pictures",
    "labels": "labels",
    "split": "split, folds or subjects",
    "class_names": "class names",
    "pixels": "the content of files",
}


def differences(stored: DataFingerprint, now: DataFingerprint) -> list[str]:
    """Say what changed, from the stored state to the present one.

    Args:
        stored: of the run, checkpoint or cell.
        now: of the data as they are.
    Returns:
        one line per kind of change, the first example named; [] where nothing changed. Without both tables of pictures
        the lines name the kinds alone.
    """
    if stored.digest == now.digest:
        return []
    if stored.pictures is None or now.pictures is None:
        return _kinds(stored, now)
    before, after = stored.pictures.set_index("id"), now.pictures.set_index("id")
    shared = before.index.intersection(after.index, sort=False)
    lines = _class_lines(stored.names, now.names)
    lines += _membership_lines(before, after)
    lines += _label_lines(before.loc[shared], after.loc[shared], stored.names, now.names)
    lines += _split_lines(before.loc[shared], after.loc[shared])
    for column in ("fold", "subject", "album", "original"):
        lines += _column_lines(column, before.loc[shared], after.loc[shared])
    lines += _content_lines(before.loc[shared], after.loc[shared])
    return lines or _kinds(stored, now)


def _kinds(stored: DataFingerprint, now: DataFingerprint) -> list[str]:
    """What the digests alone can tell."""
    lines = [f"{stored.images} pictures there, {now.images} now"] if stored.images != now.images else []
    if stored.images == now.images:
        lines += [f"{what} changed" for name, what in DIGESTS.items() if getattr(stored, name) != getattr(now, name)]
    return lines


def _class_lines(there: tuple[str, ...], now: tuple[str, ...]) -> list[str]:
    if there == now:
        return []
    if len(there) == len(now) and set(there) == set(now):
        first = next(i for i, name in enumerate(there) if name != now[i])
        return [f"the classes are in another order (first: class {first} '{there[first]}' there, '{now[first]}' now)"]
    if len(there) == len(now):
        return [
            f"class {i} renamed '{old}' -> '{new}'"
            for i, (old, new) in enumerate(zip(there, now, strict=True))
            if old != new
        ]
    gone, new = set(there) - set(now), set(now) - set(there)
    changes = [f"{word} '{min(names)}'" for word, names in (("without", gone), ("new", new)) if names]
    return [f"{len(there)} classes there, {len(now)} now ({', '.join(changes)})"]


def _membership_lines(before: pd.DataFrame, after: pd.DataFrame) -> list[str]:
    """Pictures that came, went, or go by another name; or the same ones in another order."""
    gone, new = before.index.difference(after.index, sort=False), after.index.difference(before.index, sort=False)
    if not len(gone) and not len(new):
        same_order = before.index.equals(after.index)
        return [] if same_order else ["the same pictures are listed in another order"]
    old_names = {digest: name for name, digest in before.loc[gone, "sha256"].items() if digest}
    renamed = {name: old_names[digest] for name, digest in after.loc[new, "sha256"].items() if digest in old_names}
    lines = [
        _line(len(renamed), "under another name", f"{old} there, {name} now") for name, old in list(renamed.items())[:1]
    ]
    gone, new = gone.difference(list(renamed.values()), sort=False), new.difference(list(renamed), sort=False)
    lines += [_line(len(ids), word, str(ids[0])) for ids, word in ((gone, "removed"), (new, "added")) if len(ids)]
    return lines


def _label_lines(before: pd.DataFrame, after: pd.DataFrame, there: tuple[str, ...], now: tuple[str, ...]) -> list[str]:
    """By index where there are as many classes as before (a renamed class is no other label), else by name."""
    if len(there) == len(now):
        changed = before["label"] != after["label"]
    else:
        changed = before["label"].map(dict(enumerate(there))) != after["label"].map(dict(enumerate(now)))
    if not changed.any():
        return []
    at = int(changed.to_numpy().argmax())
    first, old, new = before.index[at], int(before["label"].iloc[at]), int(after["label"].iloc[at])
    example = f"{first}: {old} '{there[old]}' there, {new} '{now[new]}' now"
    return [f"label of {_count(int(changed.sum()))} changed (first: {example})"]


def _split_lines(before: pd.DataFrame, after: pd.DataFrame) -> list[str]:
    changed = before["split"] != after["split"]
    swapped = before["split"].replace({"train": "test", "test": "train"})
    if changed.any() and (swapped == after["split"]).all():
        return [f"train and test are swapped ({_count(int(changed.sum()))})"]
    return _column_lines("split", before, after)


def _column_lines(column: str, before: pd.DataFrame, after: pd.DataFrame) -> list[str]:
    changed = before[column] != after[column]
    if not changed.any():
        return []
    at = int(changed.to_numpy().argmax())
    example = f"{before.index[at]}: {before[column].iloc[at] or 'none'} there, {after[column].iloc[at] or 'none'} now"
    return [f"{column} of {_count(int(changed.sum()))} changed (first: {example})"]


def _content_lines(before: pd.DataFrame, after: pd.DataFrame) -> list[str]:
    lost = (before["sha256"] != "") & (after["sha256"] == "")
    changed = (before["sha256"] != after["sha256"]) & ~lost
    lines = (
        [f"the file of {_count(int(lost.sum()))} can't be read now (first: {_path(after, lost)})"] if lost.any() else []
    )
    lines += (
        [f"content of {_count(int(changed.sum()))} changed (first: {_path(after, changed)})"] if changed.any() else []
    )
    return lines


def _path(pictures: pd.DataFrame, mask: pd.Series) -> Any:
    return pictures.loc[mask, "path"].iloc[0]


def _line(number: int, what: str, example: str) -> str:
    return f"{_count(number)} {what} (first: {example})"


def _count(number: int) -> str:
    return f"{number} picture" if number == 1 else f"{number} pictures"
