"""Ages in years from the table to the answer: training, decoders, intervals, evaluation, a study and its report."""

import json

import numpy as np
import pandas as pd
import pytest
from known_set import softmax
from PIL import Image

from finegrained_crl.cli.main import main
from finegrained_crl.crossval.collect import collect
from finegrained_crl.metrics.age_intervals import age_interval
from finegrained_crl.reports.sheets import make_sheets
from finegrained_crl.reports.study import study_figures
from finegrained_crl.training.predictor import Predictor

YEARS = "--dataset table --dataset.label-column age --dataset.target age --dataset.age-range 0,59"
NETWORK = "--backbone test_resnet --weights none --image-size 32 --batch-size 12 --epochs 2 --lr 0.01 --workers 0"
ORDINAL = ("ce", "crl-sord", "crl-dldl", "dldl", "sord", "mean-variance", "emd", "cdw-ce", "coral", "corn")


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    """24 people with two pictures each; brighter ones are older. Half of the years have no picture."""
    root, random, rows = tmp_path_factory.mktemp("faces"), np.random.default_rng(0), []
    for person in range(24):
        age = 2 * person + 6
        for copy in range(2):
            pixels = np.clip(random.normal(4 * age, 9, (40, 36, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(root / f"{person}_{copy}.png")
            split = ("train", "val", "test")[person % 3]
            rows.append({"path": f"{person}_{copy}.png", "age": age, "subject": f"p{person}", "split": split})
    table = pd.DataFrame(rows)
    table.to_csv(root / "labels.csv", index=False)
    table.drop(columns="split").assign(fold=np.arange(48) // 2 % 3).to_csv(root / "folds.csv", index=False)
    return root


def train(data, out, *words):
    return main(["finetune", *YEARS.split(), *NETWORK.split(), "--data", str(data), "--out", str(out), *words])


@pytest.fixture(scope="module")
def run(faces, tmp_path_factory):
    out = tmp_path_factory.mktemp("years") / "run"
    assert train(faces, out, "--loss", "dldl") == 0
    return out


def rows_of(run, part, weights="last"):
    frame = pd.read_parquet(run / "predictions.parquet")
    return frame[(frame["part"] == part) & (frame["weights"] == weights)]


def errors_of(frame):
    return np.abs(softmax(np.stack(frame["logits"].to_list())) @ np.arange(60) - frame["age"])


def test_a_run_says_years_and_measures_its_intervals(run):
    results = json.loads((run / "results.json").read_text())
    errors = errors_of(rows_of(run, "test"))
    assert results["metrics"]["last"]["test"]["mae_years"] == pytest.approx(errors.mean(), abs=1e-6)
    assert results["protocol"]["decoder"] == "mean"
    assert results["data"]["ages"] == {"low": 0, "high": 59, "groups": [[0, 2], *results["data"]["ages"]["groups"][1:]]}
    assert len(results["class_names"]) == 60
    val = rows_of(run, "val")
    for told in results["age_intervals"]["last"]:
        radius = age_interval(errors_of(val).to_numpy(), val["subject"].to_numpy(dtype=str), told["level"]).radius
        assert told["people"] == 8
        if np.isfinite(radius):
            assert told["radius"] == pytest.approx(radius, abs=1e-5)
            assert told["coverage"] == pytest.approx(np.mean(errors <= radius + 1e-9))
        else:
            assert told["radius"] is None
    card = (run / "model_card.md").read_text()
    assert "| MAE (years) |" in card
    assert "Ages are guesses from a picture" in card


def test_the_epoch_with_the_least_error_on_validation_is_kept(run):
    epochs = pd.read_csv(run / "epochs.csv")
    best = json.loads((run / "results.json").read_text())["selected_epoch"]
    assert best == epochs["epoch"][epochs["val_mae_years"].idxmin()]
    value = errors_of(rows_of(run, "val")).mean()
    assert epochs["val_mae_years"].iloc[-1] == pytest.approx(value, abs=1e-4)


@pytest.mark.parametrize(("mae", "best"), [((9.0, 4.0, 7.0), 2), ((3.0, 4.0, 7.0), 1)])
def test_less_error_is_better_whatever_the_accuracy(mae, best):
    from finegrained_crl.training.progress import Progress
    from finegrained_crl.training.watched import merit

    progress = Progress()
    for epoch, error in enumerate(mae):
        progress.epoch = epoch
        progress.is_better(merit({"val_top1": 0.1 * epoch, "val_mae_years": error}))
    assert progress.best_epoch == best
    assert merit({"val_top1": 0.25}) == 0.25


def test_nothing_that_can_be_read_is_errors_and_no_row(run, tmp_path, capsys):
    """A decoder that computes something of the scores has none to compute with."""
    for name in (tmp_path / "broken.png", tmp_path / "video.mp4"):
        name.write_bytes(b"no picture, no frames")
        assert main(["predict", str(run), str(name), "--out", str(tmp_path / "p.csv")]) == 1
        assert name.name in capsys.readouterr().err
        assert len(pd.read_csv(tmp_path / "p.csv")) == 0
        assert len(pd.read_csv(tmp_path / "p.errors.csv")) == 1
    assert len(Predictor(run).predict([tmp_path / "broken.png"]).table) == 0


def test_predict_tells_ages_and_intervals(run, faces, tmp_path):
    pictures = [str(faces / path) for path in rows_of(run, "test")["path"]]
    assert main(["predict", str(run), *pictures, "--interval", "0.8", "--out", str(tmp_path / "p.csv")]) == 0
    told = pd.read_csv(tmp_path / "p.csv")
    said = softmax(np.stack(rows_of(run, "test")["logits"].to_list())) @ np.arange(60)
    assert told["age"].tolist() == pytest.approx(said.tolist(), abs=0.011)
    val = rows_of(run, "val")
    radius = age_interval(errors_of(val).to_numpy(), val["subject"].to_numpy(dtype=str), 0.8).radius
    assert told["age_low"].tolist() == pytest.approx(np.clip(said - radius, 0, 59).tolist(), abs=0.02)
    assert told["age_high"].tolist() == pytest.approx(np.clip(said + radius, 0, 59).tolist(), abs=0.02)


def test_true_ages_of_a_table_give_the_error_in_years(run, faces, tmp_path, capsys):
    words = ["--label-column", "age", "--out", str(tmp_path / "p.csv")]
    assert main(["predict", str(run), str(faces / "labels.csv"), *words]) == 0
    told, true = pd.read_csv(tmp_path / "p.csv"), pd.read_csv(faces / "labels.csv")
    assert f"{np.abs(told['age'] - true['age']).mean():.2f} years off on average" in capsys.readouterr().out


def test_calibrated_ages_are_those_of_the_calibrated_probabilities(run):
    predictor = Predictor(run)
    scores = np.stack(rows_of(run, "test")["logits"].to_list())
    answers = predictor.answers(calibrate="temperature")
    temperature = json.loads((run / "results.json").read_text())["temperatures"]["last"]
    assert answers.ages.said(scores) == pytest.approx(softmax(scores / temperature) @ np.arange(60), abs=1e-3)


@pytest.mark.parametrize(
    ("level", "message"),
    [("0.95", "the 8 people of the validation part are too few for it"), ("1.5", "must be a share between 0 and 1")],
)
def test_intervals_that_cannot_be_had(run, faces, level, message, capsys):
    assert main(["predict", str(run), str(faces / "0_0.png"), "--interval", level]) == 1
    assert message in capsys.readouterr().err


def test_groups_have_no_intervals_in_years(faces, tmp_path, capsys):
    bins = ["--dataset.bins", "0,20,40", "--method.name", "resnet", "--epochs", "1"]
    assert train(faces, tmp_path / "bins", *bins) == 0
    results = json.loads((tmp_path / "bins" / "results.json").read_text())
    assert results["class_names"] == ["0-19", "20-39", "40-59"]
    assert "mae_in_groups" in results["metrics"]["last"]["test"]
    assert "mae_years" not in results["metrics"]["last"]["test"]
    assert main(["predict", str(tmp_path / "bins"), str(faces / "0_0.png"), "--interval", "0.8"]) == 1
    assert "are no years; train with --dataset.target age" in capsys.readouterr().err


def test_a_method_may_name_another_decoder(faces, tmp_path):
    out = tmp_path / "run"
    words = ["--method.name", "adience", "--method.decoder", "median", "--loss", "ce", "--epochs", "1"]
    assert train(faces, out, *words) == 0
    test = rows_of(out, "test")
    p = softmax(np.stack(test["logits"].to_list()).astype(np.float64))
    error = np.abs((p.cumsum(1) >= 0.5).argmax(1) - test["age"]).mean()
    figures = json.loads((out / "results.json").read_text())["metrics"]["last"]["test"]
    assert figures["mae_years"] == pytest.approx(error)


@pytest.mark.slow
@pytest.mark.parametrize("loss", ORDINAL)
def test_every_ordinal_loss_trains_on_years(loss, faces, tmp_path):
    # Five powers of a distance of 59 years are beyond any learning rate.
    milder = ["--loss.alpha", "1"] if loss == "cdw-ce" else []
    assert train(faces, tmp_path / "run", "--loss", loss, "--lr", "0.001", *milder) == 0
    figures = json.loads((tmp_path / "run" / "results.json").read_text())["metrics"]["last"]["test"]
    assert 0 < figures["mae_years"] < 40
    assert np.isfinite(pd.read_csv(tmp_path / "run" / "epochs.csv")["train_loss"]).all()


def test_a_run_is_evaluated_on_other_years(run, faces, tmp_path):
    words = ["evaluate", str(run), "--data", str(faces / "labels.csv"), "--split", "val", "--out", str(tmp_path / "e")]
    assert main(words) == 0
    figures = json.loads((tmp_path / "e" / "results.json").read_text())["metrics"]["last"]["test"]
    assert figures["mae_years"] == pytest.approx(errors_of(rows_of(run, "val")).mean(), abs=1e-4)


def test_a_study_in_years_is_about_the_error_in_years(faces, tmp_path):
    words = [*YEARS.split(), *NETWORK.split(), "--data", str(faces / "folds.csv"), "--cached-views", "0"]
    out = tmp_path / "study"
    assert main(["probe", *words, "--losses", "ce", "dldl", "--freeze", "backbone", "--out", str(out)]) == 0
    collected = collect(out)
    figures = study_figures(collected)
    assert figures.primary.name == "mae_years"
    sheets = make_sheets(figures, "table", "made")
    assert sheets[0].columns[:2] == ["variant", "MAE (years)"]
    (differences,) = (sheet for sheet in sheets if sheet.name.startswith("differences"))
    assert differences.rows[0][1] == "MAE (years)"
    tests = {name: results["metrics"]["last"]["test"] for name, results in collected.results.items()}
    values = [figures_of["mae_years"] for name, figures_of in tests.items() if name.startswith("ce")]
    row = figures.variants[(figures.variants["variant"] == "ce") & (figures.variants["figure"] == "mae_years")]
    assert row["mean"].item() == pytest.approx(np.mean(values))
    assert "exact_accuracy" not in set(figures.variants["figure"])
    by_median = study_figures(collected, decoder="median").variants
    assert by_median[by_median["figure"] == "mae_years"]["mean"].iloc[0] != row["mean"].item()
