"""Studies and single runs read as one."""

import pandas as pd
import pytest
from made_study import write_study

from finegrained_crl.crossval.gather import gather
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.reports.study import study_figures


def test_one_study_is_itself(tmp_path):
    folder = write_study(tmp_path / "faces", {"ce": 1.0, "crl": 2.0})
    one = gather([folder])
    assert one.title == "faces"
    assert {name: len(runs) for name, runs in one.by_variant.items()} == {"ce": 6, "crl": 6}
    assert one.by_variant["ce"][0] == folder / "cells" / "ce_f0_s0"


def test_two_studies_are_compared_under_their_names(tmp_path):
    first = write_study(tmp_path / "first", {"ce": 1.0})
    second = write_study(tmp_path / "second run", {"ce": 2.0, "crl": 1.5})
    both = gather([first, second])
    assert both.title == "first and second run"
    assert list(both.by_variant) == ["ce of=first", "ce of=second_run", "crl of=second_run"]
    figures = study_figures(both.collected, baseline="ce of=first")
    assert set(figures.differences["variant"]) == {"ce of=second_run", "crl of=second_run"}
    assert set(figures.differences["pairs"]) == {6}


def test_single_runs(tmp_path):
    folder = write_study(tmp_path / "s", {"ce": 1.0, "crl": 2.0}, folds=(None,), seeds=(0,))
    runs = [folder / "cells" / name for name in ("ce_s0", "crl_s0")]
    one = gather(runs[:1])
    assert [cell.variant for cell in one.collected.done] == ["ce"]
    both = gather(runs)
    assert list(both.by_variant) == ["ce of=ce_s0", "crl of=crl_s0"]
    assert len(both.collected.cells) == 2


def test_a_changed_byte_of_a_single_run_is_refused(tmp_path):
    run = write_study(tmp_path / "s", {"ce": 1.0}, folds=(None,), seeds=(0,)) / "cells" / "ce_s0"
    frame = pd.read_parquet(run / "predictions.parquet")
    frame.assign(label=frame["label"].iloc[::-1].to_numpy()).to_parquet(run / "predictions.parquet")
    with pytest.raises(FinegrainedError, match=r"ce_s0 is damaged: predictions\.parquet"):
        gather([run])


def test_what_can_not_stand_side_by_side(tmp_path):
    first = write_study(tmp_path / "a", {"ce": 1.0}, folds=(0,))

    def renamed(cell, frame, results):
        results["class_names"] = results["class_names"][::-1]
        return frame

    def fewer(cell, frame, results):
        results["protocol"]["denominator"] = 39
        return frame.drop(frame.index[frame["part"] == "test"][0])

    other = write_study(tmp_path / "b", {"ce": 1.0}, folds=(0,), changed=renamed)
    with pytest.raises(FinegrainedError, match="a and b have different classes"):
        gather([first, other])
    smaller = write_study(tmp_path / "c", {"ce": 1.0}, folds=(0,), changed=fewer)
    with pytest.raises(FinegrainedError, match="a and c were evaluated on different pictures"):
        gather([first, smaller], accept_differences=True)

    def fewer_in_one_fold(cell, frame, results):
        return fewer(cell, frame, results) if cell.fold else frame

    partly = [
        write_study(tmp_path / "d", {"ce": 1.0}),
        write_study(tmp_path / "e", {"ce": 1.0}, changed=fewer_in_one_fold),
    ]
    with pytest.raises(FinegrainedError, match="d and e were evaluated on different pictures"):
        gather(partly, accept_differences=True)
    with pytest.raises(FinegrainedError, match="holds neither a study"):
        gather([tmp_path])


def test_studies_of_one_name_are_told_apart_by_their_paths(tmp_path):
    folders = [write_study(tmp_path / place / "faces", {"ce": 1.0}, folds=(0,)) for place in ("a", "b")]
    assert list(gather(folders).by_variant) == [f"ce of={folder}" for folder in folders]
