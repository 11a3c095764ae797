"""The planner's picture holds the planner's numbers."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from finegrained_crl.metrics.catalogue import find_figure
from finegrained_crl.reports import drawing
from finegrained_crl.reports.power_curves import SEEDS, _curves, draw_power
from finegrained_crl.statistics.power import Design, Sources, in_folds, smallest_difference

SOURCES = Sources(0.01**2, 0.02**2, 0.01**2)


@pytest.mark.parametrize(("design", "curves"), [(Design(5, 3), 3), (Design(1, 4), 2), (Design(1, 1), 2)])
def test_curves_and_the_study(design, curves, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(drawing, "save", lambda figure, target, **how: drawn.append(figure) or target)
    draw_power(SOURCES, design, find_figure("top1_accuracy"), 0.8, tmp_path / "p.png")
    axes = drawn[0].axes[0]
    lines = {line.get_label(): line.get_xydata() for line in axes.lines}
    expected = [100 * smallest_difference(SOURCES, design._replace(seeds=n)) for n in SEEDS]
    assert next(iter(lines.values()))[:, 1].tolist() == pytest.approx([v for v in expected if np.isfinite(v)])
    planned = smallest_difference(SOURCES, design)
    assert ("this study" in lines) == bool(np.isfinite(planned))
    assert len(lines) == curves + bool(np.isfinite(planned))
    assert "points" in axes.get_ylabel()
    plt.close(drawn[0])


@pytest.mark.parametrize("wanted", [0.5, 0.8])
def test_more_people_and_more_folds_are_the_planners(wanted):
    design = Design(5, 3)
    cases = {
        "5 folds, as planned": (SOURCES, design),
        "5 folds, 4 x the people": (SOURCES.times(people=1 / 4), design),
        "the same pictures in 10 folds": (in_folds(SOURCES, 5, 10), Design(10, 3)),
    }
    expected = {
        label: [smallest_difference(sources, of._replace(seeds=n), wanted=wanted) for n in SEEDS]
        for label, (sources, of) in cases.items()
    }
    assert _curves(SOURCES, design, wanted) == expected


def test_written_in_the_format_of_its_name(tmp_path):
    path = draw_power(SOURCES, Design(5, 3), find_figure("nll"), 0.5, tmp_path / "p.svg")
    assert path.read_text().lstrip().startswith("<?xml")
