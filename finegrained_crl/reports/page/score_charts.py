"""Charts of what the variants' scores are worth: confusions, probabilities, distances, recall."""

from __future__ import annotations

import numpy as np
import pandas as pd

from finegrained_crl.metrics.calibration import softmax
from finegrained_crl.reports import drawing
from finegrained_crl.reports.names import variant_title
from finegrained_crl.reports.page.charts import MOST_NAMED, Chart, axes_of, look, shortened
from finegrained_crl.reports.parts import Part

Groups = dict[str, list[Part]]
"""Variant -> its held-out parts, all folds and seeds."""
BINS = 15
MOST_CLASSES = 60
"""A matrix of more classes is a grey square; the pairs that are confused most stand in a table."""


def counts_of(group: list[Part]) -> np.ndarray:
    """Pictures by true and predicted class, all folds and seeds, (classes, classes)."""
    classes = group[0].scores.num_classes
    counts = np.zeros((classes, classes))
    for part in group:
        np.add.at(counts, (part.scores.labels, part.scores.predicted), 1)
    return counts


def confusion(group: list[Part], names: list[str], variant: str, name: str) -> Chart | None:
    """Rows of the confusion matrix in percent, counts beside where there is room."""
    counts = counts_of(group)
    if len(names) > MOST_CLASSES:
        return None
    shares = 100 * counts / np.maximum(counts.sum(1, keepdims=True), 1)
    title = f"Confusions of {variant_title(variant)}"
    off = counts - np.diag(np.diag(counts))
    i, j = np.unravel_index(int(off.argmax()), off.shape)
    alt = (
        f"{np.trace(counts) / max(counts.sum(), 1):.1%} on the diagonal; most often {names[i]} is taken for {names[j]}"
    )
    reading = (
        "A row is a true class, a column what was predicted; colour is the share of the row in percent. Numbers are"
        " counts over all folds and seeds."
    )
    return _matrix(shares, names, name, title, alt, reading, "Blues", (0, 100), counts)


def confusion_difference(
    first: list[Part], second: list[Part], names: list[str], pair: tuple[str, str]
) -> Chart | None:
    """How the shares of two variants' confusion matrices differ, in points."""
    if len(names) > MOST_CLASSES:
        return None
    tables = [counts_of(group) for group in (first, second)]
    shares = [100 * table / np.maximum(table.sum(1, keepdims=True), 1) for table in tables]
    gap = shares[0] - shares[1]
    limit = max(1.0, float(np.abs(gap).max()))
    one, other = map(variant_title, pair)
    i, j = np.unravel_index(int(np.abs(gap).argmax()), gap.shape)
    alt = f"largest: {names[i]} predicted as {names[j]}, {gap[i, j]:+.1f} points more often by {one} than by {other}"
    reading = (
        f"Share of {one} less share of {other}, in points of the row. On the diagonal more is better, elsewhere less."
    )
    return _matrix(
        gap, names, "confusion-difference", f"Confusions: {one} − {other}", alt, reading, "PuOr", (-limit, limit), None
    )


def _matrix(
    values: np.ndarray, names: list[str], name: str, title: str, alt: str, reading: str, colours: str,
    limits: tuple[float, float], counts: np.ndarray | None,
) -> Chart:  # fmt: skip
    side = 2.6 + 0.16 * len(names)
    picture, axes = axes_of(min(9.0, side + 1), min(8.0, side), names)
    image = axes.imshow(values, cmap=colours, vmin=limits[0], vmax=limits[1])
    picture.colorbar(image, ax=axes, shrink=0.7).ax.tick_params(labelsize=7)
    if len(names) <= 12:
        for (i, j), value in np.ndenumerate(values):
            middle = abs(image.norm(value) - 0.5) if limits[0] < 0 else image.norm(value)
            ink = "white" if middle > (0.35 if limits[0] < 0 else 0.6) else "#111111"
            text = f"{counts[i, j]:.0f}" if counts is not None else f"{value:+.0f}"
            axes.text(j, i, text, ha="center", va="center", fontsize=6, color=ink)
    size = 7 if len(names) <= 20 else 4.5
    axes.set_xticks(range(len(names)), [shortened(n, 22) for n in names], rotation=90, fontsize=size)
    axes.set_yticks(range(len(names)), [shortened(n, 22) for n in names], fontsize=size)
    axes.set_xlabel("predicted", fontsize=8)
    axes.set_ylabel("true", fontsize=8)
    return Chart(name, title, alt, reading, picture)


def reliability(groups: Groups) -> Chart:
    """How often a prediction of some confidence is right, as the probabilities are and after temperature scaling."""
    picture, both = axes_of(7, 3.2, list(groups), ncols=2, sharey=True)
    words = []
    for axes, (title, calibrated) in zip(both, (("as they are", False), ("after temperature", True)), strict=True):
        axes.plot([0, 100], [0, 100], color="black", lw=0.8, ls=":")
        for i, (variant, group) in enumerate(list(groups.items())[:MOST_NAMED]):
            confidence, right = _confidences(group, calibrated=calibrated)
            if not len(confidence):
                continue
            bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
            table = pd.DataFrame({"bin": bins, "confidence": confidence, "right": right}).groupby("bin").mean()
            label = shortened(variant_title(variant), 24)
            axes.plot(100 * table["confidence"], 100 * table["right"], lw=1.2, ms=3, label=label, **look(i))
            gap = 100 * (confidence.mean() - right.mean())
            words.append(f"{variant_title(variant)} {title}: confidence {gap:+.1f} points above accuracy")
        axes.set(xlim=(0, 100), ylim=(0, 100), xlabel="confidence %")
        axes.set_title(title, fontsize=9)
    both[0].set_ylabel("right %")
    both[0].legend(frameon=False, fontsize=7)
    return Chart(
        "reliability",
        "Do the probabilities mean anything?",
        "; ".join(words),
        "On the dotted line a confidence of 70 % is right in 70 % of cases; below it the network is too sure. The"
        " temperature was fitted on the validation part.",
        picture,
    )


def coverage_risk(groups: Groups) -> Chart:
    """Errors among the most confident share of the pictures."""
    picture, axes = axes_of(7, 3.0, list(groups))
    words = []
    for i, (variant, group) in enumerate(list(groups.items())[:MOST_NAMED]):
        confidence, right = _confidences(group, calibrated=False)
        order = np.argsort(-confidence, kind="stable")
        risk = 100 * np.cumsum(~right[order].astype(bool)) / np.arange(1, len(order) + 1)
        shown = np.unique(np.linspace(max(0, len(order) // 50), len(order) - 1, 120).astype(int))
        label = shortened(variant_title(variant), 30)
        axes.plot(100 * (shown + 1) / len(order), risk[shown], label=label, lw=1.4, **{**look(i), "marker": ""})
        half = risk[len(order) // 2]
        words.append(f"{variant_title(variant)}: {half:.1f} % errors among the surer half, {risk[-1]:.1f} % in all")
    axes.set(xlim=(0, 100), ylim=(0, None), xlabel="pictures answered, the most confident first %", ylabel="errors %")
    axes.legend(frameon=False, fontsize=7)
    return Chart(
        "coverage-risk",
        "What if it may abstain?",
        "; ".join(words),
        "From right to left the least confident pictures are left out, and the errors among the rest should fall. The"
        " lower the curve, the better confidence tells right from wrong.",
        picture,
    )


def distances(groups: Groups) -> Chart:
    """Shares of the pictures that are off by 0, 1, 2 .. groups."""
    picture, axes = axes_of(7, 3.0, list(groups))
    shown = list(groups.items())[:MOST_NAMED]
    most, words = 0, []
    for i, (variant, group) in enumerate(shown):
        off = np.concatenate([np.abs(p.scores.predicted - p.scores.labels) for p in group])
        shares = 100 * np.bincount(off) / len(off)
        most = max(most, len(shares))
        places = np.arange(len(shares)) + 0.8 * (i - (len(shown) - 1) / 2) / len(shown)
        colour = drawing.COLOURS[i % len(drawing.COLOURS)]
        axes.bar(places, shares, 0.75 / len(shown), color=colour, label=shortened(variant_title(variant), 30))
        words.append(f"{variant_title(variant)}: {shares[0]:.1f} % exact, {shares[:2].sum():.1f} % within one")
    axes.set_xticks(range(most))
    axes.set(xlabel="groups off", ylabel="pictures %")
    axes.legend(frameon=False, fontsize=7)
    return Chart(
        "distances",
        "How far off",
        "; ".join(words),
        "0 is the right group, 1 its neighbour. Mass far to the right is what one-off accuracy hides.",
        picture,
    )


def recall_chart(groups: pd.DataFrame, weights: str) -> Chart | None:
    """Recall per class with its interval."""
    table = groups[(groups["weights"] == weights) & groups["recall"].notna()]
    classes = list(dict.fromkeys(table.sort_values("label")["group"]))
    variants = list(dict.fromkeys(table["variant"]))[:4]
    if not 2 <= len(classes) <= MOST_CLASSES:
        return None
    picture, axes = axes_of(7, 1.2 + 0.16 * len(classes) * max(1, len(variants) / 2), [*classes, *variants])
    for i, variant in enumerate(variants):
        rows = table[table["variant"] == variant].set_index("group").reindex(classes)
        places = np.arange(len(classes)) + 0.7 * (i - (len(variants) - 1) / 2) / len(variants)
        style = look(i)
        axes.hlines(places, 100 * rows["low"], 100 * rows["high"], color=style["color"], lw=1.2)
        label = shortened(variant_title(variant), 30)
        axes.plot(100 * rows["recall"], places, style["marker"], color=style["color"], ms=4, ls="", label=label)
    axes.set_yticks(range(len(classes)), [shortened(name, 30) for name in classes], fontsize=7)
    axes.set_ylim(len(classes) - 0.5, -0.5)
    axes.set(xlim=(0, 100), xlabel="recall %")
    axes.legend(frameon=False, fontsize=7)
    worst = table.sort_values("recall", kind="stable").iloc[0]
    return Chart(
        "recall",
        "Recall per class",
        f"lowest: {worst['group']}, {100 * worst['recall']:.1f} % by {variant_title(worst['variant'])}",
        "The share of each class's pictures that was recognised, with a 95 % interval. Classes with few pictures have"
        " wide ones.",
        picture,
    )


def _confidences(group: list[Part], *, calibrated: bool) -> tuple[np.ndarray, np.ndarray]:
    """Largest probability of each picture, and whether that class is right."""
    tables = [part.scores.calibrated if calibrated else part.scores.logits for part in group]
    chosen = [(softmax(t), p.scores.labels) for t, p in zip(tables, group, strict=True) if t is not None]
    if not chosen:
        return np.zeros(0), np.zeros(0)
    confidence = np.concatenate([table.max(1) for table, _ in chosen])
    right = np.concatenate([table.argmax(1) == labels for table, labels in chosen])
    return confidence, right
