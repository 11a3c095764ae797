"""SVG that a strict page may hold, and colours that colour-blind readers tell apart."""

import itertools
import re

import matplotlib.pyplot as plt
import numpy as np
import pytest

from finegrained_crl.reports import drawing
from finegrained_crl.reports.page.charts import Chart, axes_of, look, shortened


@pytest.fixture
def svg():
    figure, axes = axes_of(3, 2, ["a"])
    axes.plot([0, 1], [0, 1], color="black", label="a <b> & $c$")
    axes.legend()
    yield Chart("one", "title <&>", "alt", "reading", figure).svg
    plt.close(figure)


def test_no_style_no_foreign_mark_and_theme_ink(svg):
    assert ' style="' not in svg
    assert "<style" not in svg
    assert "currentColor" in svg
    assert "title &lt;&amp;&gt;" in svg
    assert "<text" in svg  # text stays text


def test_ids_and_references_belong_to_the_chart(svg):
    ids = set(re.findall(r' id="([^"]+)"', svg))
    assert all(name.startswith("one-") for name in ids)
    references = set(re.findall(r"url\(#([^)]+)\)|href=\"#([^\"]+)\"", svg))
    assert references
    assert {first or second for first, second in references} <= ids


def test_long_names_lose_their_middle():
    assert shortened("a" * 100, 10) == "aaaaa…aaaaa"
    assert shortened("$x$") == drawing.label("$x$")


def test_the_first_looks_differ_in_more_than_colour():
    looks = [(look(i)["ls"], look(i)["marker"]) for i in range(6)]
    assert len(set(looks)) == 6


DEUTERANOPIA = np.array(
    [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
)
"""Machado, Oliveira and Fernandes, 2009, severity 1, linear RGB."""


def test_colours_stay_apart_for_deuteranopes():
    rgb = np.array([[int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)] for c in drawing.COLOURS])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ DEUTERANOPIA.T, 0, 1)
    lab = _lab(seen)
    gaps = [np.linalg.norm(lab[i] - lab[j]) for i, j in itertools.combinations(range(len(lab)), 2)]
    assert min(gaps) > 10  # 2.3 is just noticeable


def _lab(linear):
    xyz = linear @ np.array([[0.4124, 0.2126, 0.0193], [0.3576, 0.7152, 0.1192], [0.1805, 0.0722, 0.9505]])
    ratio = xyz / np.array([0.9505, 1.0, 1.089])
    f = np.where(ratio > 0.008856, np.cbrt(ratio), 7.787 * ratio + 16 / 116)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)
