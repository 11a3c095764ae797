"""`fgcrl crossval` and `fgcrl report` on a few drawn faces: whole, killed and continued, with a failing cell."""

import contextlib
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import yaml
from stub_cells import study_of
from studies_here import crossval_here

from finegrained_crl.cli import crossval as command
from finegrained_crl.cli.main import main
from finegrained_crl.cli.study_view import StudyView
from finegrained_crl.crossval.processes import processes
from finegrained_crl.crossval.study import Study, StudyFolder
from finegrained_crl.crossval.taking import Status
from finegrained_crl.training.recipe import Component, Recipe
from finegrained_crl_datasets.demo_faces import make_demo_faces

SETTINGS = (
    "--recipe demo-faces --backbone test_resnet --image-size 32 --epochs 2 --batch-size 8 --val-fraction 0.25"
    " --test-every 1"
)
GRID = "--losses ce crl --folds 0 1 --seeds 0 --jobs 2 --device cpu"


@pytest.fixture(scope="session")
def faces(tmp_path_factory):
    folder = tmp_path_factory.mktemp("faces") / "adience"
    make_demo_faces(folder, subjects_per_group=10, photos_per_subject=1, size=32)
    return folder


@pytest.fixture(scope="session")
def flags(faces):
    return [*SETTINGS.split(), "--data", str(faces)]


@pytest.fixture(scope="session")
def study(flags, server, tmp_path_factory):
    """A study of two cells at a time, forked from the process that the other tests' commands are forked from; one that
    has a fork server of its own is killed below."""

    def loaded(threads, gpus):
        return contextlib.nullcontext(server) if threads == 1 else processes(threads, gpus)

    folder = tmp_path_factory.mktemp("studies") / "whole"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command, "processes", loaded)
        assert main(["crossval", *flags, *GRID.split(), "--out", str(folder)]) == 0
    return folder


def same_cells(one: Path, other: Path, names: list[str]) -> None:
    assert names == sorted(path.name for path in (one / "cells").iterdir())
    for name in names:
        for file in ("results.json", "predictions.parquet", "checkpoints/model_last.safetensors"):
            left, right = (study / "cells" / name / file for study in (one, other))
            assert left.read_bytes() == right.read_bytes(), (name, file)


def test_each_cell_is_a_run_folder(study):
    cells = sorted(path.name for path in (study / "cells").iterdir())
    assert cells == ["ce_f0_s0", "ce_f1_s0", "crl_f0_s0", "crl_f1_s0"]
    assert all((study / "cells" / cell / "results.json").is_file() for cell in cells)
    plan = yaml.safe_load((study / "study.yaml").read_text())
    assert (plan["format"], plan["folds"], plan["seeds"]) == (2, [0, 1], [0])


def test_cells_of_one_fold_see_the_same_pictures(study):
    one, other = (pd.read_parquet(study / "cells" / f"{loss}_f1_s0" / "predictions.parquet") for loss in ("ce", "crl"))
    assert one["id"].tolist() == other["id"].tolist()
    assert {"subject", "gender", "fiducial_yaw_angle", "fiducial_score", "fold"} <= set(one)
    test, val = (set(one[one["part"] == part]["subject"]) for part in ("test", "val"))
    assert test
    assert val
    assert not test & val


def test_out_alone_goes_on_and_finds_nothing_to_do(study, capsys):
    before = {path: path.stat().st_mtime_ns for path in study.rglob("results.json")}
    assert main(["crossval", "--out", str(study), "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)["cells"].values()) == {"done"}
    assert before == {path: path.stat().st_mtime_ns for path in study.rglob("results.json")}


def test_another_recipe_is_refused_with_the_difference(study, flags, capsys):
    assert main(["crossval", *flags, *GRID.split(), "--lr", "0.5", "--out", str(study)]) == 1
    error = capsys.readouterr().err
    assert "holds a study with another plan (lr: 0.002 there, 0.5 asked)" in error
    assert error.count("\n") == 1


def test_the_plan_alone_writes_nothing(flags, tmp_path, capsys):
    words = [
        *flags,
        "--losses",
        "ce",
        "crl",
        "--controls",
        "--grid",
        "loss.alpha=1,1.5",
        "--out",
        str(tmp_path / "new"),
    ]
    assert crossval_here(*words, "--plan", "--json", timed=True) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["cells"] == len(plan["variants"]) * 5 == 55
    assert plan["expected_seconds"] > 0
    assert not (tmp_path / "new").exists()


def test_stopped_and_continued_is_the_same_bit_for_bit(study, flags, tmp_path, stop_after_saves, monkeypatch):
    folder = tmp_path / "stopped"
    words = [*flags, *GRID.replace("ce crl", "crl").split(), "--checkpoint-seconds", "0", "--out", folder]
    stop_after_saves(3)
    with pytest.raises(RuntimeError, match="pulled the plug"):
        crossval_here(*words)
    monkeypatch.undo()
    shutil.rmtree(folder / "claims")  # a process that is gone has none; this one is still here
    assert not any((cell / "results.json").is_file() for cell in (folder / "cells").iterdir())
    assert crossval_here("--out", folder, "--jobs", "2", "--device", "cpu") == 0
    same_cells(folder, study, ["crl_f0_s0", "crl_f1_s0"])


# The same with a launcher, its fork server and two cells killed by the system; the fast one is the test above.
@pytest.mark.slow
def test_killed_and_continued_is_the_same_bit_for_bit(study, flags, tmp_path, start_fgcrl):
    folder = tmp_path / "killed"
    words = [*flags, *GRID.replace("ce crl", "crl").split(), "--checkpoint-seconds", "0", "--out", folder]
    started = start_fgcrl("crossval", *words)
    deadline = time.monotonic() + 120
    while not list(folder.glob("cells/*/checkpoints/last.pt")) and started.process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    started.process.kill()
    assert started.end() == -signal.SIGKILL
    assert not all((cell / "results.json").is_file() for cell in (folder / "cells").iterdir())
    assert crossval_here("--out", folder, "--jobs", "2", "--device", "cpu") == 0
    same_cells(folder, study, ["crl_f0_s0", "crl_f1_s0"])


@pytest.mark.usefixtures("no_charts")
def test_a_failing_cell_does_not_stop_the_others(flags, tmp_path, capsys):
    folder = tmp_path / "failing"
    words = "--optimizer momentum --clip-grad 0 --epochs 2 --grid lr=1e25,0.01 --losses ce --folds 0 --jobs 2"
    assert crossval_here(*flags, *words.split(), "--out", folder) == 1
    output = capsys.readouterr()
    assert "failed: ce_lr=1e_25_f0_s0" in output.err or "failed: ce_lr=1e+25_f0_s0" in output.err
    assert "diverged" in output.err or "NaN" in output.err
    assert "1 of 2 cells done" in output.out
    assert crossval_here("--out", folder, "--json") == 1
    states = json.loads(capsys.readouterr().out)
    assert sorted(states["cells"].values()) == ["done", "failed"]
    assert list(states["failed"]) == [name for name, state in states["cells"].items() if state == "failed"]
    assert main(["report", str(folder)]) == 0
    assert "1 of 2 cells are missing" in (folder / "report.md").read_text()


@pytest.mark.usefixtures("no_charts")
def test_report_of_a_study(study, tmp_path, capsys):
    assert main(["report", str(study), "--out", str(tmp_path)]) == 0
    text = (tmp_path / "report.md").read_text()
    for needed in (
        "last weights",
        "selected on validation weights",
        "Oracle on test (not a result)",
        "ddof = 1",
        "levi-hassner",
        "16",
    ):
        assert needed in text
    assert "RoR-34 | 66.74 | 97.38 | not stated | IMDB-WIKI" in text
    assert "nothing in it can be compared with these rows" in text
    assert "By gender" in text
    figures = pd.read_csv(tmp_path / "tables" / "variants.csv")
    cells = pd.read_csv(tmp_path / "tables" / "cells.csv")
    results = json.loads((study / "cells" / "crl_f1_s0" / "results.json").read_text())["metrics"]["last"]["test"]
    mine = cells[(cells["variant"] == "crl") & (cells["fold"] == 1) & (cells["weights"] == "last")].iloc[0]
    assert mine["exact_accuracy"] == pytest.approx(results["exact_accuracy"])
    assert mine["one_off_accuracy"] == pytest.approx(results["one_off_accuracy"])
    assert mine["ece"] == pytest.approx(results["ece"])
    assert mine["nll"] == pytest.approx(results["nll"])
    both = cells[(cells["variant"] == "crl") & (cells["weights"] == "last")]["exact_accuracy"]
    row = figures[
        (figures["variant"] == "crl") & (figures["weights"] == "last") & (figures["figure"] == "exact_accuracy")
    ].iloc[0]
    assert row["mean"] == pytest.approx(both.mean())
    assert row["deviation"] == pytest.approx(both.std(ddof=1))
    assert "\\begin{tabular}" in (tmp_path / "tables" / "losses-last.tex").read_text()
    assert (
        main(["report", str(study), "--out", str(tmp_path / "median"), "--decoder", "median", "--baseline", "crl"]) == 0
    )
    assert main(["report", str(study), "--baseline", "clr"]) == 1
    assert "no variant 'clr' in this study: did you mean 'crl'" in capsys.readouterr().err


# A study that was trained; tests/reports/page/test_page.py::test_without_torch reads one that was made.
@pytest.mark.slow
def test_report_needs_no_torch(study, tmp_path):
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from finegrained_crl.cli.main import main\n"
        f"sys.exit(main(['report', {str(study)!r}, '--out', {str(tmp_path)!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


MISTAKES = [
    (["--losses", "ce", "clr"], "unknown loss 'clr': did you mean 'crl'"),
    (["--losses", "ce", "ce"], "one of them twice"),
    (["--folds", "7"], "no such fold"),
    (["--fold", "1"], "a study takes --folds"),
    (["--grid", "lr=x"], "--lr"),
    (["--grid", "loss.alpha=-1"], "alpha"),
    (["--controls", "--losses", "ce"], "add crl to --losses"),
    (["--jobs", "-2"], "--jobs must be from 1 to 64"),
    (["--precision", "auto"], "name them for a study"),
    (["--data", "/nowhere"], "--data /nowhere does not exist"),
    (["--seeds", "1", "1"], "seed 1 is given twice"),
]


@pytest.mark.parametrize(("words", "text"), MISTAKES, ids=[" ".join(words) for words, _ in MISTAKES])
def test_a_mistake_is_one_line_and_leaves_nothing(words, text, flags, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(command, "processes", None)  # nothing is started
    assert main(["crossval", *flags, *words, "--out", str(tmp_path / "study")]) == 1
    error = capsys.readouterr().err
    assert text in error
    assert error.count("\n") == 1
    assert not (tmp_path / "study").exists()


def test_no_study_no_report(tmp_path, capsys):
    assert main(["report", str(tmp_path)]) == 1
    assert "holds neither a study" in capsys.readouterr().err


def test_methods_are_compared_each_with_its_own_recipe(faces, tmp_path, capsys):
    words = [
        "--recipe",
        "small-cpu",
        "--methods",
        "resnet",
        "dcl",
        "--losses",
        "ce",
        "crl",
        "--folds",
        "0",
        "--weights",
    ]
    words += ["none", "--backbone", "test_resnet", "--dataset", "adience", "--plan", "--json", "--image-size", "32"]
    words += ["--data", str(faces), "--out", str(tmp_path / "study")]
    assert crossval_here(*words) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["variants"] == ["ce method=resnet", "crl method=resnet", "ce method=dcl", "crl method=dcl"]
    assert crossval_here(*words, "--methods", "dcl", "dcl") == 1
    assert "--methods dcl dcl: one of them twice" in capsys.readouterr().err


@pytest.mark.parametrize(("jobs", "left"), [(1, "about 1 min 0 s"), (2, "about 40 s"), (8, "about 20 s")])
def test_the_time_left_is_by_the_mean_of_what_ended_and_cells_side_by_side(jobs, left, tmp_path):
    folder, study = study_of(tmp_path, 5)
    view = StudyView(folder, study, jobs)
    names = [cell.name for cell in study.cells]
    view.status = dict.fromkeys(names, Status()) | {names[0]: Status("done", 10.0), names[1]: Status("failed", 30.0)}
    assert view._time_left() == left
    view.status = dict.fromkeys(names, Status("done", 10.0))
    assert view._time_left() == "nothing"


def test_a_row_of_the_table_is_a_variant_s_seed_and_its_columns_are_the_folds(tmp_path):
    study = Study({"ce": Recipe(data="x", loss=Component("ce"))}, [0, 1, 2], [5, 6], 1)
    view = StudyView(StudyFolder(tmp_path), study, 1)
    view.status = {cell.name: Status("done", 1.0) for cell in study.cells}
    view.scores = {cell.name: f"{cell.fold} of {cell.seed}" for cell in study.cells}
    rows = list(zip(*(column.cells for column in view._table().columns), strict=True))
    assert rows == [("ce", str(seed), *(f"[green]{fold} of {seed}[/]" for fold in (0, 1, 2))) for seed in (5, 6)]


def test_the_epoch_of_a_cell_is_the_one_under_way(tmp_path):
    folder, study = study_of(tmp_path, 1)
    view, (cell,) = StudyView(folder, study, 1), study.cells
    assert view._epoch(cell) == 1
    folder.run(cell).folder.mkdir(parents=True)
    folder.run(cell).epochs.write_text("epoch,seconds\n1,2\n2,2\n")
    assert view._epoch(cell) == 3
