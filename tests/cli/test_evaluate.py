"""A finished run on other data: the figures are those of its pictures, and reports read the folder like a run's."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from known_runs import known_flags

from finegrained_crl.cli import evaluate as evaluate_command
from finegrained_crl.cli.main import main
from finegrained_crl.reports.across_data import across_sheet
from finegrained_crl.training.recipe import Component, recipe_from_dict
from finegrained_crl.training.run_folder import RunFolder

KNOWING = Path(__file__).parents[1] / "third_party" / "knowing"


@pytest.fixture(scope="module")
def run(known, tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluate") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(KNOWING)
        words = known_flags(known, "--epochs", "4", "--method.best-at", "2")
        assert main(["finetune", *words, "--out", str(folder)]) == 0
        yield folder


@pytest.fixture
def evaluate(run, tmp_path, capsys):
    """Runs `fgcrl evaluate`; (results.json, predictions, standard error)."""

    def start(*words, out="out"):
        capsys.readouterr()
        code = main(["evaluate", str(run), *map(str, words), "--workers", "0", "--out", str(tmp_path / out)])
        said = capsys.readouterr()
        assert code == 0, said.err
        folder = RunFolder(tmp_path / out)
        return folder.read_results(), pd.read_parquet(folder.predictions), said.err

    return start


def own(run, which="last", part="test"):
    frame = pd.read_parquet(run / "predictions.parquet")
    return frame[(frame["weights"] == which) & (frame["part"] == part)].reset_index(drop=True)


def accuracy(frame):
    return float(
        np.mean([logits.argmax() == label for logits, label in zip(frame["logits"], frame["label"], strict=True)])
    )


def other_table(known, tmp_path, rename, **columns):
    """The known test pictures under a table of their own, classes renamed."""
    table = known.part("test").assign(**columns)
    table = table.assign(path=[str(known.csv.parent / path) for path in table["path"]])
    table["label"] = table["label"].replace(rename)
    path = known.csv.parent / f"{tmp_path.name}.csv"
    table[["path", "label"]].assign(
        path=table["path"].map(lambda text: Path(text).relative_to(known.csv.parent))
    ).to_csv(path, index=False)
    return path, table


def test_the_runs_own_part_gives_the_runs_own_numbers(run, evaluate):
    results, frame, _ = evaluate("--batch-size", 5)
    expected = json.loads((run / "results.json").read_text())
    assert results["metrics"]["last"]["test"] == pytest.approx(expected["metrics"]["last"]["test"])
    assert frame.drop(columns="logits").equals(own(run).drop(columns="logits"))
    assert np.allclose(np.stack(frame["logits"]), np.stack(own(run)["logits"]), atol=1e-5)
    assert results["evaluation"]["left_out"] == {}
    assert results["protocol"]["denominator"] == len(frame)


def test_weights_and_parts_can_be_chosen(run, evaluate):
    results, frame, _ = evaluate("--weights", "selected", "--split", "val")
    expected = own(run, "selected", "val")
    assert results["headline"] == "selected"
    assert results["metrics"]["last"] is None
    assert results["metrics"]["selected_on_validation"]["test"]["top1_accuracy"] == pytest.approx(accuracy(expected))
    assert set(frame["part"]) == {"test"}
    assert results["protocol"]["evaluated_on"] == "val"


def test_every_picture_can_be_asked_for_and_those_trained_on_are_told(run, known, evaluate):
    results, frame, said = evaluate("--split", "all")
    trained = len(known.part("train"))
    assert len(frame) == len(known.rows)
    assert results["protocol"]["leaks"] == [
        f"{trained} of {len(frame)} evaluated pictures are pictures that the run was trained on"
    ]
    assert results["protocol"]["leaks"][0] in said


def test_views_are_shown(run, known, evaluate):
    results, frame, _ = evaluate("--views", "flip")
    test = known.part("test")
    expected = (known.logits(test) + known.logits(test, flipped=True)) / 2
    expected[:, 0] += 4 * (4 - 2) ** 2
    assert np.allclose(np.stack(frame["logits"]), expected, atol=1e-3)
    assert results["protocol"]["views"] == "flip"


def test_classes_of_other_names_are_left_out_and_told(run, known, evaluate, tmp_path):
    first = min(known.part("test")["label"])
    path, table = other_table(known, tmp_path, {first: "dodo"})
    results, frame, said = evaluate("--data", path, "--split", "all")
    gone = int((table["label"] == "dodo").sum())
    assert results["evaluation"]["left_out"] == {"dodo": gone}
    assert results["evaluation"]["classes_without_pictures"] == [first]
    assert len(frame) == len(table) - gone
    assert f"the run does not know 1 classes (dodo): {gone} pictures left out" in said
    assert f"no picture of 1 classes ({first})" in said
    expected = own(run)
    expected = expected[[results["class_names"][label] != first for label in expected["label"]]]
    assert results["metrics"]["last"]["test"]["top1_accuracy"] == pytest.approx(accuracy(expected))
    assert dict(zip(frame["path"], frame["label"], strict=True)) == dict(
        zip(expected["path"], expected["label"], strict=True)
    )


def test_a_class_map_says_which_is_which(run, known, evaluate, tmp_path):
    names = sorted(known.part("test")["label"].unique())
    path, _ = other_table(known, tmp_path, {name: f"{name}!" for name in names})
    rows = "".join(f"{name}!,{name}\n" for name in names)
    (tmp_path / "map.csv").write_text("data_class,run_class\n" + rows)
    results, frame, said = evaluate("--data", path, "--split", "all", "--class-map", tmp_path / "map.csv")
    assert said == ""
    assert results["evaluation"]["class_map"] == str(tmp_path / "map.csv")
    assert accuracy(frame) == pytest.approx(accuracy(own(run)))


def test_a_data_set_without_a_test_part_is_evaluated_whole(known, evaluate, tmp_path):
    path = known.csv.parent / f"{tmp_path.name}-train.csv"
    known.part("train")[["path", "label"]].assign(split="train").to_csv(path, index=False)
    results, frame, _ = evaluate("--data", path)
    assert results["protocol"]["evaluated_on"] == "all"
    assert len(frame) == len(known.part("train"))


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ([], "needs the folder of a run first"),
        (["--data", "x"], "needs the folder of a run first"),
        (["/nowhere"], "/nowhere holds no run"),
        (["RUN", "--split", "tset"], "--split tset: the data set has the splits train, val, test, all"),
        (["RUN", "--fold", "1"], "--fold 1: the data set has no folds"),
        (["RUN", "--fold", "1", "--split", "val"], "exclude each other"),
        (["RUN", "--data", "/nowhere"], "/nowhere does not exist"),
        (["RUN", "--batch-size", "0"], "--batch-size must be at least 1"),
        (["RUN", "--veiws", "flip"], "unknown option --veiws"),
        (["RUN", "--out", "RUN"], "is there already: choose another, or remove it"),
    ],
)
def test_mistakes_are_one_line(words, error, run, capsys):
    assert main(["evaluate", *[str(run) if word == "RUN" else word for word in words]]) == 1
    said = capsys.readouterr().err
    assert error in said
    assert said.count("\n") == 1


def test_a_run_of_another_version_is_one_line(run, tmp_path, capsys):
    shutil.copytree(run, tmp_path / "old")
    results = json.loads((run / "results.json").read_text())
    (tmp_path / "old" / "results.json").write_text(json.dumps({**results, "format": 1}))
    for command in ("evaluate", "predict"):
        capsys.readouterr()
        assert main([command, str(tmp_path / "old"), *(["x.png"] if command == "predict" else [])]) == 1
        said = capsys.readouterr().err
        assert "has format 1, this version reads 2: use the version that wrote it, or train again" in said
        assert said.count("\n") == 1


def test_reports_runs_and_verify_read_the_folder(evaluate, run, tmp_path, capsys):
    evaluate("--split", "val", out="val")
    evaluate(out="same")
    assert main(["verify", str(tmp_path / "val")]) == 0
    assert main(["report", str(tmp_path / "val"), "--out", str(tmp_path / "report")]) == 0
    assert (tmp_path / "report" / "report.html").is_file()
    capsys.readouterr()
    assert main(["runs", str(tmp_path), "--no-index", "--json"]) == 0
    kinds = {row["folder"]: (row["kind"], row["state"]) for row in json.loads(capsys.readouterr().out)}
    assert kinds["val"] == ("evaluation", "done")
    assert main(["predict", str(tmp_path / "val"), "x.png"]) == 1
    assert f"is an evaluation of the run {run} and holds no model: give that run" in capsys.readouterr().err


def test_the_report_of_several_data_sets_is_one_table(evaluate, run, tmp_path, capsys):
    evaluate("--split", "val", out="val")
    capsys.readouterr()
    words = [str(run), str(tmp_path / "val"), "--out", str(tmp_path / "report")]
    assert main(["report", *words, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    expected = [own(run), own(run, part="val")]
    assert [row["value"] for row in rows] == pytest.approx([accuracy(frame) for frame in expected])
    assert [row["images"] for row in rows] == [len(frame) for frame in expected]
    assert all(row["low"] < row["value"] < row["high"] for row in rows)
    assert {row["run"] for row in rows} == {str(run)}
    text = (tmp_path / "report" / "report.md").read_text()
    assert f"{100 * rows[1]['value']:.2f}" in text
    ((_, *shown),) = across_sheet(rows).rows
    assert [cell.partition(" ")[0] for cell in shown] == [f"{100 * row['value']:.2f}" for row in rows]
    assert text.count("seed 0") == 1  # one row, two columns
    assert sorted(path.name for path in (tmp_path / "report" / "tables").iterdir()) == [
        "across-data.csv",
        "across-data.md",
        "across-data.tex",
    ]


def test_the_table_of_several_data_sets_says_what_is_not_shared(evaluate, run, known, tmp_path, capsys):
    first = min(known.part("test")["label"])
    path, _ = other_table(known, tmp_path, {first: "dodo"})
    evaluate("--data", path, "--split", "all", "--views", "flip", "--weights", "selected", out="other")
    evaluate("--split", "all", out="all")
    capsys.readouterr()
    folders = [str(run), str(tmp_path / "other"), str(tmp_path / "all")]
    assert main(["report", *folders, "--out", str(tmp_path / "report")]) == 0
    said = " ".join(capsys.readouterr().out.split())
    trained = len(known.part("train"))
    notes = [
        "other, classes matched by name: the run does not know dodo",
        f"other, classes matched by name: no picture of {first}",
        f"all: {trained} of {len(known.rows)} evaluated pictures are pictures that the run was trained on",
        "not all rows have the same views: flip, single",
        "not all rows have the same weights: last, selected",
    ]
    assert [note for note in notes if f"note: {note}" not in said] == []
    assert said.count("note: ") == len(notes)
    report = (tmp_path / "report" / "report.md").read_text()
    assert report.count("\n- ") == len(notes)
    table = pd.read_csv(tmp_path / "report" / "tables" / "across-data.csv", keep_default_na=False)
    gone = int((known.part("test")["label"] == first).sum())
    assert table["left_out"].tolist() == [0, gone, 0]
    assert table["unknown_classes"].tolist() == ["", "dodo", ""]
    assert table["classes_without_pictures"].tolist() == ["", first, ""]
    assert table["class_map"].tolist() == ["", "by name", "by name"]
    assert table["views"].tolist() == ["single", "flip", "single"]


def test_compare_tells_the_weights_of_the_headline_alone(run, capsys):
    assert accuracy(own(run)) != accuracy(own(run, "selected"))
    capsys.readouterr()
    assert main(["compare", str(run), "--json"]) == 0
    figures = {row["figure"]: row["value"] for row in json.loads(capsys.readouterr().out)["figures"]}
    assert figures["top1_accuracy"] == pytest.approx(accuracy(own(run)))


def test_of_the_run_s_recipe_its_excerpt_is_left_and_conversion_may_be_added(run):
    recipe = recipe_from_dict(RunFolder(run).read_recipe()).replace(pictures_per_class=3)
    for words, expected in ((["--data", "elsewhere"], 0), ([], 3)):
        parser, options = evaluate_command._parser(words, recipe)
        assert evaluate_command._recipe(recipe, parser.parse(words), options).pictures_per_class == expected
    assert not recipe.convert_images
    assert evaluate_command._recipe(recipe, parser.parse(["--convert-images"]), options).convert_images


def test_without_other_data_the_run_s_part_and_reader_stay(run):
    own = recipe_from_dict(RunFolder(run).read_recipe())
    own = own.replace(split="val", dataset=Component("table", {**own.dataset.options, "label_column": "kind"}))
    parser, options = evaluate_command._parser([], own)
    same, other = (evaluate_command._recipe(own, parser.parse(words), options) for words in ([], ["--data", "x"]))
    assert (same.split, other.split) == ("val", None)
    assert same.dataset.options["label_column"] == other.dataset.options["label_column"] == "kind"


@pytest.mark.usefixtures("no_charts")
def test_evaluations_on_the_same_data_are_compared_in_pairs(evaluate, run, tmp_path):
    for views in ("single", "flip"):
        evaluate("--views", views, out=views)
    words = [str(tmp_path / "single"), str(tmp_path / "flip"), "--baseline", "ce of=single"]
    assert main(["report", *words, "--out", str(tmp_path / "r")]) == 0
    differences = pd.read_csv(tmp_path / "r" / "tables" / "differences.csv")
    assert (tmp_path / "r" / "report.html").is_file()
    assert len(differences)
