"""The held-out part of each cell: whose pictures, whose temperature, whose decision."""

import numpy as np
import pandas as pd
import pytest
from made_study import GROUPS, write_study
from scipy.optimize import minimize_scalar

from finegrained_crl.crossval.collect import collect
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.metrics.calibration import softmax
from finegrained_crl.metrics.catalogue import all_figures, find_figure, make_scores
from finegrained_crl.reports.parts import grouped, one_seed, pick, pooled_value, read_parts, runs_of


def with_selected(cell, frame, results):
    """Selected weights beside the last ones, with scores of their own; rows in no order."""
    random = np.random.default_rng(8)
    logits = [row + random.normal(size=4) for row in frame["logits"]]
    both = pd.concat([frame, frame.assign(weights="selected", logits=logits)], ignore_index=True)
    test = both[(both["weights"] == "selected") & (both["part"] == "test")]
    scores = make_scores(np.stack(test["logits"].to_list()), test["label"].to_numpy())
    results["metrics"]["selected_on_validation"] = {"test": all_figures(scores, ordered=True)}
    results["protocol"]["decoder"] = "median"
    return both.sample(frac=1, random_state=3)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = write_study(tmp_path_factory.mktemp("parts"), {"ce": 1.0, "crl": 2.0}, changed=with_selected)
    return collect(folder)


def rows_of(study, part, split):
    frame = study.predictions[part.cell.name]
    rows = frame[(frame["weights"] == part.which) & (frame["part"] == split)].sort_values("id")
    return np.stack(rows["logits"].to_list()), rows["label"].to_numpy(), rows


def test_each_part_has_its_own_pictures_in_the_order_of_their_ids(study):
    parts = list(read_parts(study, None))
    assert [(p.cell.name, p.which) for p in parts] == [
        (cell.name, which) for cell in study.study.cells for which in ("last", "selected")
    ]
    for part in parts:
        logits, labels, rows = rows_of(study, part, "test")
        assert part.scores.logits.tolist() == logits.tolist()
        assert part.scores.labels.tolist() == labels.tolist()
        assert part.frame["id"].tolist() == rows["id"].tolist()
        assert part.clusters.tolist() == ("subject " + rows["subject"]).tolist()


def test_the_temperature_is_that_of_the_validation_part(study):
    for part in list(read_parts(study, None))[:4]:
        logits, labels, _ = rows_of(study, part, "val")

        def nll(log_t, logits=logits, labels=labels):
            p = softmax(logits / np.exp(log_t))
            return -np.log(p[np.arange(len(labels)), labels]).mean()

        best = np.exp(minimize_scalar(nll, bounds=(-5, 5), method="bounded", options={"xatol": 1e-10}).x)
        assert part.temperature == pytest.approx(best, rel=1e-4)
        np.testing.assert_allclose(part.scores.calibrated, part.scores.logits / part.temperature)


@pytest.mark.parametrize(("decoder", "used"), [(None, "median"), ("median", "median"), ("argmax", "argmax")])
def test_the_decision_is_the_runs_unless_another_is_asked_for(decoder, used, study):
    part = next(read_parts(study, decoder))
    p = softmax(part.scores.logits)
    by_hand = {"median": (p.cumsum(1) >= 0.5).argmax(1), "argmax": p.argmax(1)}
    assert by_hand["median"].tolist() != by_hand["argmax"].tolist()
    assert part.scores.predicted.tolist() == by_hand[used].tolist()


def test_groups_never_mix_weights_and_a_fold_counts_once(study):
    groups = grouped(list(read_parts(study, None)))
    assert [(g[0].which, g[0].cell.variant, len(g)) for g in groups] == [
        ("last", "ce", 6),
        ("selected", "ce", 6),
        ("last", "crl", 6),
        ("selected", "crl", 6),
    ] or sorted((g[0].which, g[0].cell.variant, len(g)) for g in groups) == [
        ("last", "ce", 6),
        ("last", "crl", 6),
        ("selected", "ce", 6),
        ("selected", "crl", 6),
    ]
    assert all(len({(p.which, p.cell.variant) for p in group}) == 1 for group in groups)
    assert sorted(p.cell.fold for p in one_seed(groups[0])) == [0, 1, 2]


def test_totals_and_rows_of_a_group(study):
    group = grouped(list(read_parts(study, None)))[0]
    exact = find_figure("exact_accuracy")
    runs = runs_of(group, exact)
    assert [run.fold for run in runs] == [str(part.cell.fold) for part in group]
    assert [run.totals.shape for run in runs] == [(10, 2)] * 6
    assert [run.sizes.tolist() for run in runs] == [[4.0] * 10] * 6  # four faces of each of ten people
    hits = [p.scores.predicted == p.scores.labels for p in group]
    assert [run.totals[:, 0].sum() for run in runs] == [hit.sum() for hit in hits]
    assert pooled_value(group, exact) == pytest.approx(np.concatenate(hits).mean())
    paired = runs_of(group[:2], exact, group[2:4])
    assert [run.baseline[:, 0].sum() for run in paired] == [hit.sum() for hit in hits[2:4]]
    chosen = np.arange(240) % 7 == 0
    picked = pick(group, chosen)
    for name in ("logits", "labels", "predicted", "calibrated"):
        expected = np.concatenate([getattr(p.scores, name) for p in group])[chosen]
        assert getattr(picked, name).tolist() == expected.tolist(), name


def test_a_cell_without_validation_leaves_the_calibrated_figure_out(tmp_path):
    def changed(cell, frame, results):
        return frame[frame["part"] == "test"] if cell.name == "ce_f1_s0" else frame

    group = list(read_parts(collect(write_study(tmp_path / "s", {"ce": 1.0}, changed=changed)), None))
    assert runs_of(group, find_figure("ece_calibrated")) is None
    assert runs_of(group, find_figure("ece")) is not None
    whole = [part for part in group if part.scores.calibrated is not None][:1]
    broken = [part for part in group if part.scores.calibrated is None][:1]
    assert runs_of(whole, find_figure("ece_calibrated"), broken) is None
    assert pick(group, np.ones(240, bool)).calibrated is None
    assert sum(np.isnan(part.temperature) for part in group) == 1


def test_cells_of_other_classes_are_not_put_side_by_side(tmp_path):
    def changed(cell, frame, results):
        if cell.fold == 1:
            results["class_names"] = GROUPS[::-1]
        return frame

    folder = write_study(tmp_path / "s", {"ce": 1.0}, changed=changed)
    with pytest.raises(FinegrainedError, match="have different classes"):
        list(read_parts(collect(folder, accept_differences=True), None))
