"""By class, by confusion, by subgroup: against plain counting."""

import numpy as np
import pandas as pd
import pytest
from made_study import GROUPS, write_study

from finegrained_crl.crossval.collect import collect
from finegrained_crl.metrics.catalogue import find_figure
from finegrained_crl.reports.breakdown import confusion_rows, group_rows, subgroup_rows, subgroup_values
from finegrained_crl.reports.parts import grouped, read_parts

FIGURES = [find_figure("exact_accuracy"), find_figure("nll")]


@pytest.fixture(scope="module")
def group(tmp_path_factory):
    def changed(cell, frame, results):
        frame["age"] = np.arange(len(frame), dtype=float)
        return frame

    collected = collect(write_study(tmp_path_factory.mktemp("breakdown"), {"ce": 0.8}, changed=changed))
    return grouped(list(read_parts(collected, None)))[0]


def test_recall_counts_all_seeds_and_images_one(group):
    labels, predicted = (np.concatenate([getattr(p.scores, n) for p in group]) for n in ("labels", "predicted"))
    rows = group_rows(group, GROUPS)
    assert [(r["label"], r["group"]) for r in rows] == list(enumerate(GROUPS))
    assert [r["images"] for r in rows] == [(labels == k).sum() // 2 for k in range(4)]
    assert [r["recall"] for r in rows] == pytest.approx([np.mean(predicted[labels == k] == k) for k in range(4)])
    assert [(r["variant"], r["weights"]) for r in rows] == [("ce", "last")] * 4


def test_confusion_by_hand(group):
    labels, predicted = (np.concatenate([getattr(p.scores, n) for p in group]) for n in ("labels", "predicted"))
    found = {(r["label"], r["predicted_label"]): r for r in confusion_rows(group, GROUPS)}
    counts = {(i, j): ((labels == i) & (predicted == j)).sum() for i in range(4) for j in range(4)}
    assert {place: r["images"] for place, r in found.items()} == {place: n for place, n in counts.items() if n}
    assert all((r["class"], r["predicted_class"]) == (GROUPS[i], GROUPS[j]) for (i, j), r in found.items())
    assert any(counts[i, j] != counts[j, i] for i in range(4) for j in range(4))


def test_subgroups_by_hand(group):
    rows = list(subgroup_rows(group, ["gender", "absent"], FIGURES))
    frame = pd.concat([p.frame for p in group])
    right = np.concatenate([p.scores.predicted == p.scores.labels for p in group])
    gender = frame["gender"].replace("", "unknown").to_numpy()
    assert {r["value"] for r in rows} == {"f", "m", "unknown"}
    for r in rows:
        assert r["column"] == "gender"
        assert r["images"] == round((gender == r["value"]).sum() / 2)
        assert r["exact_accuracy"] == pytest.approx(right[gender == r["value"]].mean())


def test_numbers_are_ordered_as_numbers(group):
    rows = list(subgroup_rows(group, ["age"], FIGURES))
    starts = [float(r["value"].split(" ")[0]) for r in rows]
    assert len(rows) == 4
    assert starts == sorted(starts)


def test_how_values_are_named():
    assert subgroup_values(pd.Series(range(8))).tolist() == [str(i) for i in range(8)]
    assert subgroup_values(pd.Series(range(9))).nunique() == 4
    assert subgroup_values(pd.Series([1.5, None, 2.0])).tolist() == ["1.5", "unknown", "2"]
    assert subgroup_values(pd.Series(["x", "", None])).tolist() == ["x", "unknown", "unknown"]
    missing = subgroup_values(pd.Series([*range(40), None]))
    assert missing.iloc[-1] == "unknown"
