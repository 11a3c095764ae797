"""Figures of the losses: value and gain over the true class's probability, the printed gradient beside the true one,
and the margin.

Everything is drawn from closed forms in numpy (`docs/losses.md` has the formulas). Lines differ in style as well as in
colour (Okabe and Ito's palette) and carry their names, so that a figure reads in grey and with any colour vision.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Curve = NDArray[np.float64]
BLACK, ORANGE, SKY, GREEN, BLUE, VERMILLION, PURPLE = [
    "#000000",
    "#E69F00",
    "#56B4E9",
    "#009E73",
    "#0072B2",
    "#D55E00",
    "#CC79A7",
]
SOLID, DASHED, DOTTED, DASH_DOT = "-", (0, (5, 2)), (0, (1, 1.5)), (0, (5, 1.5, 1, 1.5))
LONG, DENSE = (0, (10, 2)), (0, (3, 1, 1, 1, 1, 1))
ALPHA, BETA = 1.5, 1.0


class Line(NamedTuple):
    """A curve's name, its function of p, and how it looks."""

    name: str
    of: Callable[[Curve], Curve]
    color: str
    style: Any
    label: tuple[float, float]  # lower left corner of the name, in data units
    leader: tuple[float, float] | None = (
        None  # where a thin line from the name ends, for names that find no room at their curve
    )


def crl_gain(p: Curve, alpha: float = ALPHA, beta: float = BETA) -> Curve:
    """Multiplier of cross-entropy's gradient, 1 + beta p / (alpha + 1 - p); with -beta, the one printed as eq. 14.

    >>> float(crl_gain(np.array(0.5)))
    1.25
    """
    return 1 + beta * p / (alpha + 1 - p)


def focal_gain(p: Curve, gamma: float = 2.0) -> Curve:
    """Focal loss's multiplier, (1 - p)^gamma - gamma p (1 - p)^(gamma - 1) log p."""
    return (1 - p) ** gamma - gamma * p * (1 - p) ** (gamma - 1) * np.log(p)


LOSSES = (
    Line("cross-entropy", lambda p: -np.log(p), BLACK, SOLID, (0.76, -0.62), (0.82, 0.198)),
    Line("CRL 1.5 / 1", lambda p: -np.log(p) + np.log(ALPHA + 1 - p), BLUE, DASHED, (0.23, 2.42)),
    Line("NLLR, no floor", lambda p: np.log(1 - p) - np.log(p), VERMILLION, DASH_DOT, (0.52, -1.30)),
    Line("Poly-1, 0.667", lambda p: -np.log(p) + (1 - p) / ALPHA, GREEN, LONG, (0.42, 2.15), (0.40, 1.316)),
    Line("focal 2", lambda p: -((1 - p) ** 2) * np.log(p), PURPLE, DOTTED, (0.08, 0.62)),
)
GAINS = (
    Line("cross-entropy", np.ones_like, BLACK, SOLID, (0.62, 0.87)),
    Line("CRL 1.5 / 1 = soft margin 0.51", crl_gain, BLUE, DASHED, (0.535, 1.165)),
    Line("CRL 2 / 0.25", lambda p: crl_gain(p, 2.0, 0.25), SKY, DENSE, (1.01, 1.09)),
    Line("NLLR", lambda p: 1 / (1 - p), VERMILLION, DASH_DOT, (0.47, 2.25)),
    Line("Poly-1, 0.667", lambda p: 1 + p / ALPHA, GREEN, LONG, (0.60, 1.55)),
    Line("focal 2", focal_gain, PURPLE, DOTTED, (0.40, 0.36)),
)


def make_loss_figures(folder: Path | str) -> list[Path]:
    """Draw all loss figures as PNG and SVG.

    Args:
        folder: where the files go; made if it is not there.
    Returns:
        the files written, in the order drawn.
    """
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    figures = {
        "loss_over_p": draw_losses,
        "gain_over_p": draw_gains,
        "printed_vs_true_gradient": draw_printed_and_true,
        "softmax_vs_margin": draw_margin,
    }
    return [path for name, draw in figures.items() for path in _save(draw(), target / name)]


def draw_losses() -> Figure:
    """Loss value over the true class's probability, with CRL's floor."""
    figure, (axes,) = _canvas(1)
    p = np.linspace(1e-3, 1 - 1e-4, 1500)
    _draw_lines(axes, p, LOSSES, top=4.0, bottom=-2.0)
    floor = BETA * np.log(ALPHA)
    axes.plot([0.62, 1.0], [floor, floor], color=BLUE, lw=0.8)
    axes.annotate("CRL's floor\nβ log α = 0.405", (0.985, floor), (0.84, 1.35), fontsize=8, color=BLUE, ha="center",
                  arrowprops={"arrowstyle": "-", "color": BLUE, "lw": 0.6})  # fmt: skip
    axes.axhline(0, color="0.8", lw=0.6, zorder=0)
    axes.set(xlabel="probability of the true class, p", ylabel="loss", xlim=(0, 1), ylim=(-2, 4), title="Loss over p")
    return figure


def draw_gains() -> Figure:
    """How many times longer than cross-entropy's the gradient is."""
    figure, (axes,) = _canvas(1)
    p = np.linspace(1e-3, 1 - 1e-4, 1500)
    _draw_lines(axes, p, GAINS, top=3.0, bottom=0.0)
    axes.annotate("1 + β/α = 1.667", (1.0, 1 + BETA / ALPHA), (0.86, 2.05), fontsize=8, color=BLUE, ha="center",
                  arrowprops={"arrowstyle": "-", "color": BLUE, "lw": 0.6})  # fmt: skip
    axes.set(xlabel="probability of the true class, p", ylabel="gain g(p): gradient relative to cross-entropy's",
             xlim=(0, 1), ylim=(0, 3), title="Gain over p: easy samples are to the right")  # fmt: skip
    return figure


def draw_printed_and_true() -> Figure:
    """Figure 2 of arXiv 1912.11642 v1 in two versions: from eq. 14 and 15 as printed, and from the derivative."""
    figure, axes = _canvas(2)
    p = np.linspace(0, 0.999, 800)
    styles = [(0.25, SKY, DENSE), (0.5, GREEN, LONG), (1.0, BLUE, DASHED), (1.25, PURPLE, DOTTED)]
    for panel, sign, title in ((axes[0], -1, "As printed (eq. 14 and 15)"), (axes[1], 1, "True derivative of eq. 11")):
        panel.plot(p, np.ones_like(p), color=BLACK, lw=1.4)
        panel.text(1.01, 1, "β = 0 (CE)", va="center", fontsize=8)
        for beta, color, style in styles:
            panel.plot(p, crl_gain(p, ALPHA, sign * beta), color=color, ls=style, lw=1.6)
            panel.text(
                1.01,
                float(crl_gain(np.array(1.0), ALPHA, sign * beta)),
                f"β = {beta:g}",
                color=color,
                va="center",
                fontsize=8,
            )
        panel.plot(p, np.clip(1 + sign * p / (1 - p), -0.6, 2.6), color=VERMILLION, ls=DASH_DOT, lw=1.6)
        panel.text(0.40, 1 + sign * 0.84, "NLLR", color=VERMILLION, fontsize=9, ha="right")
        panel.axhline(0, color="0.6", lw=0.6)
        panel.set(xlabel="probability of the true class, $p_c$", xlim=(0, 1), ylim=(-0.5, 2.5), title=title)
    axes[0].text(0.02, -0.32, "below 0: wrong classes\nwould be pushed up", fontsize=8, color="0.3")
    axes[0].set_ylabel("factor on a wrong class's gradient $p_j$")
    figure.suptitle("CRL (α = 1.5) as arXiv 1912.11642 v1 explains it, and as it trains", fontsize=11)
    return figure


def draw_margin() -> Figure:
    """CRL at beta = 1 is cross-entropy moved by a margin: over the logit gap, and in a plane of features."""
    figure, axes = _canvas(2)
    margin = np.log(1 + 1 / ALPHA)
    gap = np.linspace(-3, 4, 400)
    axes[0].plot(gap, np.logaddexp(0, -gap), color=BLACK, lw=1.6)
    axes[0].plot(gap, np.logaddexp(0, margin - gap), color=BLUE, ls=DASHED, lw=1.8)
    axes[0].annotate("", (margin, np.log(2)), (0, np.log(2)), arrowprops={"arrowstyle": "->", "lw": 1.2})
    axes[0].text(margin + 0.15, np.log(2) + 0.06, "m = log(1 + 1/α) = 0.51", fontsize=9)
    axes[0].text(-2.9, 1.30, "cross-entropy", fontsize=9)
    axes[0].text(-1.50, 2.30, "CRL − log α\n= soft margin", fontsize=9, color=BLUE)
    axes[0].set(xlabel="lead of the true logit over the others, $z_c-\\log\\sum e^{z_k}$", ylabel="loss",
                xlim=(-3, 4), ylim=(0, 3.5), title="The same curve, moved")  # fmt: skip
    _draw_plane(axes[1], margin)
    return figure


def _draw_plane(axes: Axes, margin: float) -> None:
    """Two classes with weights in a plane: softmax asks for the right side of one line, CRL for a band to be left
    empty.
    """
    line = np.array([-3.0, 3.0])
    for shift, color, style in ((0.0, BLACK, SOLID), (margin, BLUE, DASHED), (-margin, BLUE, DASHED)):
        axes.plot(line, line + shift * 1.6, color=color, ls=style, lw=1.5)
    axes.fill_between(line, line - margin * 1.6, line + margin * 1.6, color="0.9", zorder=0)
    offsets = np.random.default_rng(3).normal(scale=0.42, size=(2, 22))
    axes.scatter(-1.2 + offsets[0], 1.35 + offsets[1], marker="o", s=22, facecolor="none", edgecolor=VERMILLION)
    axes.scatter(1.3 + offsets[1], -1.3 + offsets[0], marker="^", s=22, color=GREEN)
    axes.text(-2.8, 2.5, "class A", color=VERMILLION, fontsize=9)
    axes.text(1.7, -2.55, "class B", color=GREEN, fontsize=9)
    axes.text(1.45, 1.62, "softmax", rotation=45, fontsize=8, rotation_mode="anchor")
    axes.text(
        0.75, 1.95, "A's line with margin m", rotation=45, fontsize=8, color=BLUE, rotation_mode="anchor", ha="center"
    )
    axes.text(
        2.10, 0.70, "B's line with margin m", rotation=45, fontsize=8, color=BLUE, rotation_mode="anchor", ha="center"
    )
    axes.set(xlim=(-3, 3), ylim=(-3, 3), xticks=[], yticks=[], xlabel="feature 1", ylabel="feature 2",
             title="Each class has to clear its own line", aspect="equal")  # fmt: skip


def _draw_lines(axes: Axes, p: Curve, lines: tuple[Line, ...], top: float, bottom: float) -> None:
    for line in lines:
        values = line.of(p)
        shown = (values <= top) & (values >= bottom)
        axes.plot(p[shown], values[shown], color=line.color, ls=line.style, lw=1.6)
        axes.text(*line.label, line.name, color=line.color, fontsize=9)
        if line.leader is not None:
            start = (line.label[0] + 0.06, line.label[1] + (0.2 if line.leader[1] > line.label[1] else -0.06))
            axes.plot(*zip(start, line.leader, strict=True), color=line.color, lw=0.6)


def _canvas(panels: int) -> tuple[Figure, list[Axes]]:
    """An empty figure with quiet axes; matplotlib is imported here, where it is used."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.0, 3.9) if panels == 1 else (9.2, 3.9), layout="constrained")
    FigureCanvasAgg(figure)
    axes = [figure.add_subplot(1, panels, 1 + i) for i in range(panels)]
    for panel in axes:
        panel.spines[["top", "right"]].set_visible(False)
        panel.title.set_fontsize(11)
    return figure, axes


def _save(figure: Figure, stem: Path) -> list[Path]:
    paths = [stem.with_suffix(".png"), stem.with_suffix(".svg")]
    # Without a date and with fixed ids the same figure is the same file, and `git diff` stays empty.
    from matplotlib import rc_context

    with rc_context({"svg.hashsalt": stem.name, "svg.fonttype": "path"}):
        figure.savefig(paths[0], dpi=150, metadata={"Software": None})
        figure.savefig(paths[1], metadata={"Date": None})
    return paths
