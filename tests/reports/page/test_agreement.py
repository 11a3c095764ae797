"""Pictures where two losses agree and where they don't: counts, bars and pixels by an independent computation."""

import numpy as np
import pandas as pd
import pytest
from made_study import GROUPS, write_study
from PIL import Image
from scipy.special import softmax

from finegrained_crl.crossval.collect import collect
from finegrained_crl.reports.page.agreement import EACH, agreement_charts
from finegrained_crl.reports.page.gallery import Table
from finegrained_crl.reports.page.thumbnails import Thumbnails
from finegrained_crl.reports.parts import grouped
from finegrained_crl.reports.study import study_figures


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A picture of one grey for each of the forty."""
    folder = tmp_path_factory.mktemp("root")
    (folder / "test0").mkdir()
    for i in range(40):
        Image.new("RGB", (20, 16), (6 * i, 6 * i, 6 * i)).save(folder / "test0" / f"{i}.png")
    return folder


@pytest.fixture(scope="module")
def collected(tmp_path_factory):
    def changed(cell, frame, results):
        return frame.assign(path=frame["path"] + ".png")

    place = tmp_path_factory.mktemp("agreement") / "study"
    return collect(write_study(place, {"ce": 0.9, "crl": 1.1}, folds=[None], changed=changed))


@pytest.fixture(scope="module")
def table(collected):
    groups = {group[0].cell.variant: group for group in grouped(study_figures(collected).parts)}
    return Table(groups, anonymous=False)


@pytest.fixture(scope="module")
def charts(table, root):
    return list(agreement_charts(table, ("crl", "ce"), GROUPS, Thumbnails(root, 60)))


@pytest.fixture(scope="module")
def means(collected):
    """Variant -> mean probabilities over seeds, a row per picture; and the labels."""
    tables = {}
    for variant in ("crl", "ce"):
        frames = []
        for cell in collected.done:
            frame = collected.predictions[cell.name]
            if cell.variant == variant:
                test = frame[frame["part"] == "test"].set_index("id").sort_index()
                frames.append(pd.DataFrame(softmax(np.stack(test["logits"].to_list()), axis=1), index=test.index))
        tables[variant] = sum(frames) / len(frames)
    return tables, test["label"]


def test_probabilities_are_means_over_the_runs(table, means):
    expected, _ = means
    for variant, frame in expected.items():
        assert table.probabilities[variant] == pytest.approx(frame.to_numpy())


def test_counts_of_all_four_kinds(charts, means):
    tables, labels = means
    crl, ce = (tables[name].to_numpy().argmax(1) == labels.to_numpy() for name in ("crl", "ce"))
    agree, disagree = charts
    assert (
        agree.alt == f"CRL and CE right: {(crl & ce).sum()} pictures; CRL and CE wrong: {(~crl & ~ce).sum()} pictures"
    )
    assert (
        disagree.alt
        == f"CRL right, CE wrong: {(crl & ~ce).sum()} pictures; CE right, CRL wrong: {(ce & ~crl).sum()} pictures"
    )
    assert (crl & ~ce).any()
    assert (ce & ~crl).any()


def test_each_picture_stands_beside_its_own_bars(charts, means):
    tables, labels = means
    drawn = 0
    for chart in charts:
        axes = chart.figure.axes
        for place, bars in zip(axes[::2], axes[1::2], strict=True):
            if not place.images:
                continue
            grey = float(np.mean(place.images[0].get_array()))
            name = f"test0/{round(grey / 6)}"
            assert place.get_title() == GROUPS[labels[name]]
            widths = [patch.get_width() for patch in bars.patches]
            expected = [100 * np.sort(tables[variant].loc[name])[::-1][:3] for variant in ("crl", "ce")]
            np.testing.assert_allclose(widths, np.concatenate(expected))
            drawn += 1
    assert drawn > 2 * EACH


def test_the_true_class_is_dark(charts):
    bars, place = charts[0].figure.axes[1], charts[0].figure.axes[0]
    named = [tick.get_text() for tick in bars.get_yticklabels()]
    dark = [name for name, patch in zip(named, bars.patches, strict=True) if patch.get_facecolor()[2] > 0.6]
    assert set(dark) == {place.get_title()}


def test_pictures_are_of_their_kind(charts, means):
    tables, labels = means
    rows = np.array_split(np.array(charts[1].figure.axes[::2], dtype=object), 2)
    for places, (good, bad) in zip(rows, (("crl", "ce"), ("ce", "crl")), strict=True):
        for place in places:
            if place.images:
                name = f"test0/{round(float(np.mean(place.images[0].get_array())) / 6)}"
                assert tables[good].loc[name].argmax() == labels[name] != tables[bad].loc[name].argmax()


def test_none_of_a_kind_is_said(collected, root):
    groups = {group[0].cell.variant: group for group in grouped(study_figures(collected).parts)}
    table = Table({"crl": groups["crl"], "ce": groups["crl"]}, anonymous=False)
    _, disagree = agreement_charts(table, ("crl", "ce"), GROUPS, Thumbnails(root, 60))
    assert disagree.alt == "CRL right, CE wrong: 0 pictures; CE right, CRL wrong: 0 pictures"
    assert not any(axes.images for axes in disagree.figure.axes)


def test_no_pictures_no_chart(collected):
    groups = {group[0].cell.variant: group for group in grouped(study_figures(collected).parts)}
    table = Table(groups, anonymous=True)
    assert not list(agreement_charts(table, ("crl", "ce"), GROUPS, Thumbnails(None, 60)))
