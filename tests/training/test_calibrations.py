"""Calibrated probabilities of a run: its validation temperature, CRL's closed form, and when neither can be had."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from known_runs import known_flags
from known_set import softmax

from finegrained_crl.cli.main import main
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.losses.link import crl_link
from finegrained_crl.metrics.calibration import fit_temperature
from finegrained_crl.training.calibrations import make_calibration, stored_temperature
from finegrained_crl.training.run_folder import RunFolder

KNOWING = Path(__file__).parents[1] / "third_party" / "knowing"
SCORES = np.random.default_rng(0).normal(size=(5, 7)) * 4


@pytest.fixture(scope="module")
def runs(known, tmp_path_factory):
    """Finished runs: with a validation part and its best weights, with CRL, without validation."""
    root = tmp_path_factory.mktemp("calibrations")
    lonely = known.csv.parent / "no-validation.csv"
    known.rows[known.rows["split"] != "val"].drop(columns="fold").to_csv(lonely, index=False)
    words = {
        "ce": ["--epochs", "4", "--method.best-at", "2"],
        "crl": ["--loss", "crl", "--loss.alpha", "2", "--loss.beta", "0.5"],
        "sharp": ["--loss", "crl", "--loss.alpha", "0.5"],
        "lonely": ["--data", str(lonely)],
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(KNOWING)
        for name, more in words.items():
            assert main(["finetune", *known_flags(known, *more), "--out", str(root / name)]) == 0
        yield {name: RunFolder(root / name) for name in words}


def test_the_temperature_of_each_choice_of_weights_is_stored(runs):
    run = runs["ce"]
    frame, results = pd.read_parquet(run.predictions), run.read_results()
    assert set(results["temperatures"]) == {"last", "selected"}
    for which in ("last", "selected"):
        rows = frame[(frame["part"] == "val") & (frame["weights"] == which)]
        fitted = fit_temperature(np.stack(rows["logits"].to_list()), rows["label"].to_numpy())
        assert results["temperatures"][which] == pytest.approx(fitted, abs=1e-5)
        calibration = make_calibration("temperature", run, which)
        assert np.allclose(calibration.probabilities(SCORES), softmax(SCORES / fitted), atol=1e-5)
        assert calibration.text == f"temperature {results['temperatures'][which]:.6g}"
    assert results["temperatures"]["last"] != results["temperatures"]["selected"]


def test_a_run_that_stored_none_is_fitted_from_its_predictions(runs):
    results = runs["ce"].read_results()
    older = {key: value for key, value in results.items() if key != "temperatures"}
    assert stored_temperature(runs["ce"], older, "selected") == pytest.approx(
        results["temperatures"]["selected"], abs=1e-5
    )


def test_the_link_is_that_of_the_runs_loss(runs):
    calibration = make_calibration("link", runs["crl"], "last")
    assert np.allclose(calibration.probabilities(SCORES), crl_link(softmax(SCORES), 2, 0.5))
    assert calibration.text == "link alpha=2 beta=0.5"


def test_none_is_the_softmax(runs):
    calibration = make_calibration("none", runs["lonely"], "last")
    assert calibration.text == "none"
    assert np.allclose(calibration.probabilities(SCORES), softmax(SCORES))


@pytest.mark.parametrize(
    ("name", "kind", "error"),
    [
        ("lonely", "temperature", "--calibrate temperature needs a run with a validation part, and .* has none"),
        ("ce", "link", "is CRL's, and the run's loss is 'ce': use --calibrate temperature"),
        ("sharp", "link", r"alpha 0.5 is below sqrt\(beta\) = 1, so the link has no inverse"),
    ],
)
def test_what_cannot_be_calibrated_is_one_line(runs, name, kind, error):
    with pytest.raises(FinegrainedError, match=error):
        make_calibration(kind, runs[name], "last")


def test_scores_of_several_losses_have_no_link(runs, monkeypatch):
    results = runs["crl"].read_results()
    monkeypatch.setattr(RunFolder, "read_results", lambda self: {**results, "roles": {"class": "", "swap": ""}})
    with pytest.raises(FinegrainedError, match="scores come from class, swap together"):
        make_calibration("link", runs["crl"], "last")


def test_results_without_validation_say_so(runs):
    assert json.loads(runs["lonely"].results.read_text())["temperatures"] is None
