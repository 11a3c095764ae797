"""Learning curves of runs as one picture, readable in grey and for colour-blind readers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from finegrained_crl.reports import drawing
from finegrained_crl.reports.comparison import read_epochs

MOST_NAMED = 6
"""Curves that a legend inside the axes has room for."""


def draw_curves(runs: dict[str, Path], target: Path, *, pictures: dict[str, Path] | None = None) -> Path:
    """Draw training loss and accuracy over the epochs, one line per run; where a method has several losses, each of
    them by name.

    Accuracy is that of the validation part where all runs have one, else of the watched test part, else of training.

    Args:
        runs: label -> run folder.
        target: .png or .svg to write.
        pictures: class name -> image file, shown in a strip above the curves.
    Returns:
        `target`.
    """
    plt = drawing.pyplot([*runs, *(pictures or {})])
    histories = {label: read_epochs(folder) for label, folder in runs.items()}
    figure = plt.figure(figsize=(9, 5.2 if pictures else 3.4), layout="constrained")
    panel: Any = figure
    if pictures:
        top, panel = figure.subfigures(2, 1, squeeze=False, height_ratios=(1, 1.6))[:, 0]
        _draw_strip(top, pictures)
    roles = {label: names for label, rows in histories.items() if (names := _roles(rows))}
    figure.set_figwidth(13 if roles else 9)
    left, right, *more = panel.subplots(1, 3 if roles else 2)
    column, name = _accuracy_column(histories)
    _draw(left, histories, "train_loss", 1.0)
    _draw(right, histories, column, 100.0)
    left.set(title="training loss (each loss in its own unit)", xlabel="epoch", ylabel="loss")
    right.set(title=name, xlabel="epoch", ylabel="%")
    if roles:
        _draw_roles(more[0], {label: histories[label] for label in roles}, roles)
    for axes in (left, right, *more):
        axes.spines[["top", "right"]].set_visible(False)
        axes.xaxis.get_major_locator().set_params(integer=True)
    _name_lines(figure, right, len(runs))
    return drawing.save(figure, target, dpi=150)


def _name_lines(figure: Any, axes: Any, lines: int) -> None:
    """A legend inside the axes for a few lines, below all in columns for many."""
    if lines <= MOST_NAMED:
        axes.legend(frameon=False)
        return
    handles, names = axes.get_legend_handles_labels()
    columns = max(1, min(4, 110 // max(map(len, names))))
    figure.set_figheight(figure.get_figheight() + 0.2 * -(-lines // columns))
    figure.legend(handles, names, loc="outside lower center", ncols=columns, frameon=False, fontsize=7)


def _draw_strip(figure: Any, pictures: dict[str, Path]) -> None:
    """Two rows of captioned pictures."""
    import matplotlib.image

    columns = -(-len(pictures) // 2)
    axes = list(figure.subplots(2, columns, squeeze=False).flat)
    for place in axes:
        place.set_axis_off()
    for place, (name, path) in zip(axes, pictures.items(), strict=False):
        place.imshow(matplotlib.image.imread(path))
        place.set_title(drawing.label(name), fontsize=7, pad=2)


def _roles(rows: list[dict[str, float]]) -> list[str]:
    """The columns of single losses, in order of appearance."""
    return list(dict.fromkeys(key for row in rows for key in row if key.startswith("train_loss_")))


def _draw_roles(axes: Any, histories: dict[str, list[dict[str, float]]], roles: dict[str, list[str]]) -> None:
    """A colour per role, a line style per run."""
    names = list(dict.fromkeys(role for roles_of_run in roles.values() for role in roles_of_run))
    for i, (label, rows) in enumerate(histories.items()):
        for role in roles[label]:
            points = [(row["epoch"], row[role]) for row in rows if role in row]
            text = role.removeprefix("train_loss_") + (f", {label}" if len(histories) > 1 else "")
            style = {
                "color": drawing.COLOURS[names.index(role) % len(drawing.COLOURS)],
                "linestyle": drawing.STYLES[i % len(drawing.STYLES)],
            }
            axes.plot(*zip(*points, strict=True), label=drawing.label(text), marker="o", markersize=3, **style)
    axes.set(title="losses by role, weights applied", xlabel="epoch", ylabel="loss")
    axes.legend(frameon=False)


def _accuracy_column(histories: dict[str, list[dict[str, float]]]) -> tuple[str, str]:
    for column, name in (("val_top1", "validation accuracy"), ("test_top1", "test accuracy, watched")):
        if all(any(column in row for row in rows) for rows in histories.values()):
            return column, name
    return "train_accuracy", "training accuracy"


def _draw(axes: Any, histories: dict[str, list[dict[str, float]]], column: str, scale: float) -> None:
    for i, (label, rows) in enumerate(histories.items()):
        points = [(row["epoch"], scale * row[column]) for row in rows if column in row]
        style = {"color": _colour(i, len(histories)), "linestyle": drawing.STYLES[i % len(drawing.STYLES)]}
        axes.plot(*zip(*points, strict=True), label=drawing.label(label), marker="o", markersize=3, **style)


def _colour(i: int, lines: int) -> Any:
    """The palette while it lasts; shades from dark to light for more lines than it has colours."""
    if lines <= len(drawing.COLOURS):
        return drawing.COLOURS[i]
    import matplotlib

    return matplotlib.colormaps["viridis"](i / lines)
