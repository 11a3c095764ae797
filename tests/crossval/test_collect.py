"""From run folders to one table per question."""

import pandas as pd
import pytest
from made_study import write_study

from finegrained_crl.crossval.collect import collect, logits_of
from finegrained_crl.crossval.study import StudyFolder
from finegrained_crl.errors import FinegrainedError


def some_without_subject(cell, frame, results):
    frame.loc[frame.index[:5], "subject"] = None
    return frame


def test_states_and_reasons(tmp_path):
    folder = write_study(tmp_path / "s", {"ce": 1.0}, skip=["ce_f1_s0", "ce_f2_s1"])
    place = StudyFolder(folder)
    log = place.log(next(cell for cell in place.read().cells if cell.name == "ce_f1_s0"))
    log.parent.mkdir()
    log.write_text("begun\nfgcrl finetune: error: no space left\n")
    collected = collect(folder)
    rows = collected.cells.set_index("cell")
    assert rows["state"].to_dict() == {
        "ce_f0_s0": "done",
        "ce_f1_s0": "missing",
        "ce_f2_s0": "done",
        "ce_f0_s1": "done",
        "ce_f1_s1": "done",
        "ce_f2_s1": "missing",
    }
    assert rows.loc["ce_f1_s0", "reason"] == "no space left"
    assert rows.loc["ce_f2_s1", "reason"] == "not started"
    assert rows.loc["ce_f0_s0", "reason"] == ""
    assert [cell.name for cell in collected.done] == ["ce_f0_s0", "ce_f2_s0", "ce_f0_s1", "ce_f1_s1"]
    assert (rows.loc["ce_f2_s0", "fold"], rows.loc["ce_f2_s0", "seed"]) == (2, 0)


def test_who_is_drawn_together(tmp_path):
    frame = collect(write_study(tmp_path / "s", {"ce": 1.0}, changed=some_without_subject)).predictions["ce_f0_s0"]
    assert frame["cluster"].tolist()[:5] == [f"image test0/{i}" for i in range(5)]
    assert frame["cluster"].tolist()[8:12] == ["subject test person 0 2"] * 4
    assert logits_of(frame).shape == (80, 4)


def test_a_changed_byte_of_the_predictions_is_refused(tmp_path):
    folder = write_study(tmp_path / "s", {"ce": 1.0})
    path = folder / "cells" / "ce_f0_s0" / "predictions.parquet"
    frame = pd.read_parquet(path)
    frame.assign(label=frame["label"].iloc[::-1].to_numpy()).to_parquet(path)
    with pytest.raises(FinegrainedError, match=r"ce_f0_s0 is damaged: predictions.parquet"):
        collect(folder)
