"""A study as words: what is typed beside it counts more; a small study runs from its name."""

import json

import pandas as pd
import pytest
from small_pictures import make_cifar10
from studies_here import crossval_here

from finegrained_crl.cli.parsing import peek
from finegrained_crl.cli.study_words import with_study
from finegrained_crl.errors import FinegrainedError


def test_typed_words_count_more():
    words = with_study(["--study", "crl-2019/table-3", "--part", "svhn", "--lr", "0.3"])
    assert peek(words, "--lr") == "0.3"
    assert peek(words, "--epochs") == "40"
    assert words[words.index("--losses") + 1 : words.index("--losses") + 3] == ["ce", "crl"]
    assert with_study(["--lr", "0.3"]) == ["--lr", "0.3"]


def test_a_scale_is_the_one_that_is_asked_for():
    words = ["--study", "crl-2019/table-3", "--part", "cifar10"]
    assert peek(with_study([*words, "--scale", "cpu-smoke"]), "--epochs") == "2"
    assert peek(with_study(words), "--epochs") == peek(with_study([*words, "--scale", "paper"]), "--epochs") == "300"


@pytest.mark.parametrize("flag", ["--part", "--scale"])
def test_a_part_without_a_study(flag):
    with pytest.raises(FinegrainedError, match="--part and --scale are of a study: add --study"):
        with_study([flag, "paper"])


def test_a_study_runs_by_its_name(tmp_path, capsys):
    make_cifar10(tmp_path / "cifar")
    words = ["--study", "crl-2019/table-3", "--part", "cifar10", "--scale", "cpu-smoke", "--data", tmp_path / "cifar"]
    words += ["--grid", "backbone=cifar_resnet20", "--pictures-per-class", "3"]
    assert crossval_here(*words, "--out", tmp_path / "study") == 0, capsys.readouterr().err
    cells = sorted((tmp_path / "study" / "cells").iterdir())
    assert len(cells) == 3
    results = json.loads((cells[0] / "results.json").read_text())
    assert results["protocol"]["text"].startswith("CIFAR-10, official train/test split, EXCERPT of 3 pictures a class")
    epochs = pd.read_csv(cells[0] / "epochs.csv")
    assert epochs["lr"].round(4).tolist() == [0.1, 0.01]
