"""Pictures worth looking at: where two variants disagree, what all find hardest, what is taken for what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from finegrained_crl.metrics.calibration import nll_terms, softmax
from finegrained_crl.reports.names import variant_title
from finegrained_crl.reports.page.score_charts import Groups, counts_of
from finegrained_crl.reports.page.thumbnails import Thumbnails
from finegrained_crl.reports.parts import Part

BARS = 3
EACH_WAY = 6
HARDEST = 12
PAIRS = 10


@dataclass(frozen=True)
class Shown:
    """One picture.

    Attributes:
        source: data: address; "" without a picture.
        label: what it is called.
        truth: its class.
        bars: variant -> [(class, probability, is it the true one)], the likeliest first.
        note: a few words.
    """

    source: str
    label: str
    truth: str
    bars: dict[str, list[tuple[str, float, bool]]]
    note: str = ""


class Table:
    """Mean probabilities of each held-out picture over a variant's seeds, rows in one order for all variants."""

    def __init__(self, groups: Groups, *, anonymous: bool) -> None:
        frames = [part.frame[["id", "path"]].assign(label=part.scores.labels) for part in _everything(groups)]
        pictures = pd.concat(frames).drop_duplicates("id").sort_values("id").set_index("id")
        means = {name: _averaged(group, pictures.index) for name, group in groups.items()}
        # A picture that some variant has not seen yet, in a study that still runs, can't be compared.
        shared = np.logical_and.reduce([np.isfinite(table[:, 0]) for table in means.values()])
        self.probabilities = {name: table[shared] for name, table in means.items()}
        self.labels, self.paths = pictures["label"].to_numpy()[shared], pictures["path"].to_numpy()[shared].tolist()
        self.names = self.paths
        if anonymous:
            self.names = [f"picture {i + 1}" for i in range(len(self.paths))]

    def shown(self, row: int, variants: Sequence[str], names: list[str], pictures: Thumbnails, note: str = "") -> Shown:
        """One row as it stands on the page."""
        truth = int(self.labels[row])
        bars = {}
        for variant in variants:
            p = self.probabilities[variant][row]
            likeliest = np.argsort(-p, kind="stable")[:BARS]
            bars[variant_title(variant)] = [(names[k], float(p[k]), bool(k == truth)) for k in likeliest]
        return Shown(pictures.of(self.paths[row]), self.names[row], names[truth], bars, note)


def _everything(groups: Groups) -> list[Part]:
    return [part for group in groups.values() for part in group]


def _averaged(group: list[Part], ids: pd.Index) -> np.ndarray:
    """Mean probabilities over a variant's runs, (pictures, classes); NaN for a picture without a run."""
    sums = np.zeros((len(ids), group[0].scores.num_classes))
    counts = np.zeros(len(ids))
    for part in group:
        rows = ids.get_indexer(pd.Index(part.frame["id"]))
        sums[rows] += softmax(part.scores.logits)
        counts[rows] += 1
    with np.errstate(invalid="ignore"):
        return np.asarray(sums / counts[:, None])


def disagreements(
    table: Table, first: str, second: str, names: list[str], pictures: Thumbnails
) -> list[tuple[str, int, list[Shown]]]:
    """Pictures that one variant gets right and the other wrong, both ways, drawn by a seed.

    Returns:
        (title, how many there are, those drawn) for each way.
    """
    right = {v: table.probabilities[v].argmax(1) == table.labels for v in (first, second)}
    random = np.random.default_rng(0)
    ways = []
    for good, bad in ((first, second), (second, first)):
        rows = np.flatnonzero(right[good] & ~right[bad])
        drawn = np.sort(random.permutation(rows)[:EACH_WAY])
        title = f"right with {variant_title(good)}, wrong with {variant_title(bad)}"
        ways.append((title, len(rows), [table.shown(row, (first, second), names, pictures) for row in drawn]))
    return ways


def hardest(table: Table, names: list[str], pictures: Thumbnails) -> list[Shown]:
    """Pictures with the highest loss, the mean over variants: label errors hide here."""
    losses = []
    for p in table.probabilities.values():
        with np.errstate(divide="ignore"):
            losses.append(nll_terms(np.log(np.maximum(p, 1e-12)), table.labels))
    mean = np.mean(losses, axis=0)
    variants = list(table.probabilities)[:2]
    rows = np.argsort(-mean, kind="stable")[:HARDEST]
    return [table.shown(row, variants, names, pictures, f"mean loss {mean[row]:.2f} nats") for row in rows]


def confused_pairs(group: list[Part], names: list[str], pictures: Thumbnails) -> list[dict[str, Any]]:
    """Classes that are taken for each other most, with a picture of both."""
    counts = counts_of(group)
    np.fill_diagonal(counts, 0)
    both = counts + counts.T
    places = np.argsort(-np.triu(both), axis=None, kind="stable")[:PAIRS]
    rows = []
    for i, j in zip(*np.unravel_index(places, both.shape), strict=True):
        if both[i, j] > 0:
            one, other = (pictures.of(_example(group, int(k))) for k in (i, j))
            ways = {"there": int(counts[i, j]), "back": int(counts[j, i])}
            rows.append({"first": names[i], "second": names[j], **ways, "pictures": (one, other)})
    return rows


def _example(group: list[Part], label: int) -> str:
    """A picture of a class: the surest right one, else any."""
    best, confidence = "", -1.0
    for part in group:
        rows = np.flatnonzero(part.scores.labels == label)
        if not len(rows):
            continue
        p = softmax(part.scores.logits[rows])[:, label]
        if p.max() > confidence:
            confidence = float(p.max())
            best = str(part.frame["path"].iloc[rows[int(p.argmax())]])
    return best
