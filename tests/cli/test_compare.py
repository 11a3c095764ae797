"""Runs side by side: figures, intervals and settings are those of their folders."""

import json

import pytest
from made_study import write_study

from finegrained_crl.cli.main import main


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two runs on the same pictures, and one on others."""
    root = tmp_path_factory.mktemp("compare")
    same = write_study(root / "same", {"crl": 2.0, "focal": 0.5}, folds=(None,), seeds=(0,))
    write_study(root / "other", {"ce": 1.0}, folds=(3,), seeds=(0,))
    return same / "cells" / "crl_s0", same / "cells" / "focal_s0", root / "other" / "cells" / "ce_f3_s0"


@pytest.fixture
def compare(capsys):
    """Runs `fgcrl compare`; (exit code, standard output, standard error)."""

    def start(*words):
        capsys.readouterr()
        code = main(["compare", *map(str, words)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return start


def test_figures_are_those_of_the_folders_with_intervals(runs, compare):
    _, out, _ = compare(*runs[:2], "--json")
    rows = {(row["run"], row["figure"]): row for row in json.loads(out)["figures"]}
    for run in runs[:2]:
        own = json.loads((run / "results.json").read_text())["metrics"]["last"]["test"]
        for name in ("exact_accuracy", "mae_in_groups", "nll"):
            row = rows[run.name, name]
            assert row["value"] == pytest.approx(own[name])
            assert row["low"] < row["value"] < row["high"]
            assert row["images"] == own["num_images"]


def test_the_table_has_a_column_per_run_and_the_settings_that_differ(runs, compare):
    code, out, _ = compare(*runs[:2])
    own = json.loads((runs[1] / "results.json").read_text())["metrics"]["last"]["test"]
    assert code == 0
    assert out.index("crl_s0") < out.index("focal_s0")
    assert f"{100 * own['exact_accuracy']:.2f} [" in out
    assert "loss.name" in out
    assert "backbone" not in out
    assert "note:" not in out


def test_settings_that_agree_are_left_out(runs, compare):
    settings = json.loads(compare(*runs[:2], "--json")[1])["settings"]
    assert settings["loss.name"] == {"crl_s0": "crl", "focal_s0": "focal"}
    assert not {"seed", "backbone", "dataset.name"} & set(settings)


def test_other_pictures_are_told(runs, compare):
    _, out, _ = compare(*runs)
    assert "note: these runs were not evaluated on the same pictures" in out


def test_runs_of_one_name_are_told_apart(runs, compare):
    _, out, _ = compare(runs[0], runs[0], "--json")
    assert {row["run"] for row in json.loads(out)["figures"]} == {str(runs[0])}


def test_curves_are_drawn(tiny_flags, tmp_path, compare):
    for seed in ("0", "1"):
        assert main(["finetune", *tiny_flags, "--epochs", "1", "--seed", seed, "--out", str(tmp_path / seed)]) == 0
    code, out, _ = compare(tmp_path / "0", tmp_path / "1", "--curves", tmp_path / "curves.png")
    assert code == 0
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert "│ seed " in out


@pytest.mark.parametrize(
    ("words", "error"), [(["/nowhere"], "/nowhere holds no"), (["x", "--curves", "c.txt"], "give a .png, .svg or .pdf")]
)
def test_mistakes_are_one_line(compare, words, error):
    code, _, err = compare(*words)
    assert (code, err.count("\n")) == (1, 1)
    assert error in err
