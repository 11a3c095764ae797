"""`--data-in`: the same run on every route, and routes that a run can't take."""

import itertools
import json

import pandas as pd
import pytest
from PIL import Image

from finegrained_crl.cli.main import main
from finegrained_crl.data.stored_pictures import StoredPictures, _DeviceCutter, _MemoryCutter
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.training import routes
from finegrained_crl.training.routes import Route
from finegrained_crl.training.run_options import RunOptions

CUTS = ["--crop-scale", "1", "--pad", "2", "--resize", "squash", "--rotate", "0", "--color-jitter", "0", "--erase", "0"]


def results_of(folder):
    results = json.loads((folder / "results.json").read_text())
    return results["metrics"], (folder / "predictions.parquet").read_bytes()


@pytest.mark.parametrize("policy", [CUTS, [*CUTS, "--rotate", "10"]], ids=["cuts", "rotates"])
def test_a_run_is_the_same_on_every_route(policy, tiny_flags, tmp_path, capsys):
    wanted = ["files", "memory"] if "10" in policy else ["files", "memory", "device"]
    for route in wanted:
        words = [*tiny_flags, *policy, "--data-in", route, "--device", "cpu", "--out", tmp_path / route]
        assert main(["finetune", *map(str, words)]) == 0
        assert f"pictures from {route}" in capsys.readouterr().err
    first, *others = (results_of(tmp_path / route) for route in wanted)
    assert all(other == first for other in others)


def test_a_store_is_decoded_as_small_as_the_files(tiny_folder, tiny_flags, tmp_path):
    """40 pixels at half their size still cover 16."""
    for file in tiny_folder.rglob("*.png"):
        copy = tmp_path / "jpegs" / file.relative_to(tiny_folder).with_suffix(".jpg")
        copy.parent.mkdir(parents=True, exist_ok=True)
        Image.open(file).save(copy)
    losses = {}
    for route, small in itertools.product(("files", "memory"), ("false", "true")):
        words = [*tiny_flags, *CUTS, "--data", tmp_path / "jpegs", "--image-size", "16", "--epochs", "1"]
        out = tmp_path / f"{route}-{small}"
        words += ["--data-in", route, "--reduced-decoding", small, "--device", "cpu", "--out", out]
        assert main(["finetune", *map(str, words)]) == 0
        losses[route, small] = pd.read_csv(out / "epochs.csv")["train_loss"].tolist()
    assert losses["files", "true"] == losses["memory", "true"] != losses["files", "false"]


@pytest.fixture
def session_of(make_session):
    names = (f"run {number}" for number in itertools.count())

    def build(data_in, *flags):
        return make_session(*flags, options=RunOptions(workers=0, device="cpu", data_in=data_in), out=next(names))

    return build


@pytest.mark.parametrize(
    ("flags", "kind"), [(CUTS, "memory"), ([*CUTS, "--rotate", "10"], "files"), (["--crop-scale", "0.5"], "files")]
)
def test_auto_keeps_what_is_only_cut(flags, kind, session_of):
    assert session_of("auto", *flags).route.kind == kind


def test_auto_puts_nothing_large_into_the_cache(session_of, monkeypatch):
    monkeypatch.setattr(routes, "UNASKED_BYTES", 1000)
    assert session_of("auto", *CUTS).route == Route("files")
    assert session_of("memory", *CUTS).route.kind == "memory"


def test_auto_leaves_most_of_a_full_disk_alone(session_of, monkeypatch):
    needed = session_of("memory", *CUTS).route.bytes
    monkeypatch.setattr(routes, "room_for_stores", lambda: 4 * needed - 1)
    assert session_of("auto", *CUTS).route.kind == "files"
    monkeypatch.setattr(routes, "room_for_stores", lambda: 4 * needed)
    assert session_of("auto", *CUTS).route.kind == "memory"


def test_a_store_that_does_not_fit_is_refused_before_it_is_begun(session_of, monkeypatch):
    monkeypatch.setattr(routes, "room_for_stores", lambda: 10)
    with pytest.raises(FinegrainedError, match=r"FINEGRAINED_CRL_CACHE.*--data-in files"):
        session_of("memory", *CUTS)


@pytest.mark.parametrize("route", ["files", "memory"])
def test_a_method_changes_pictures_of_every_route(route, session_of):
    dcl = ["--method", "dcl", "--method.destroy", "worker", "--method.grid", "2", "--backbone", "test_resnet"]
    session = session_of(route, *CUTS, *dcl, "--weights", "none")
    assert session.train_pictures.per_image is not None
    assert session.eval_pictures.per_image is None


@pytest.mark.parametrize(("route", "cutter"), [("memory", _MemoryCutter), ("device", _DeviceCutter)])
def test_batches_are_cut_where_they_were_asked_for(route, cutter, session_of):
    session = session_of(route, *CUTS)
    assert isinstance(session.train_pictures.cutter, cutter)
    assert isinstance(session.eval_pictures.cutter, cutter)


@pytest.mark.parametrize("route", ["memory", "device"])
def test_what_is_prepared_alike_is_kept_once(route, session_of):
    sides = ["--resize-ratio", "1.25", "--eval-resize-ratio"]
    alike, apart = (session_of(route, *CUTS, *sides, ratio) for ratio in ("1.25", "1.5"))
    assert alike.eval_pictures.cutter is alike.train_pictures.cutter
    assert apart.eval_pictures.cutter is not apart.train_pictures.cutter


def test_the_estimate_is_the_size(session_of):
    session = session_of("memory", *CUTS)
    pictures = session.train_pictures
    assert isinstance(pictures, StoredPictures)
    assert session.route.bytes == pictures.store.pixels.nbytes


@pytest.mark.parametrize(
    "flags", [["--rotate", "10"], ["--crop-scale", "0.5", "--pad", "0"], ["--color-jitter", "0.2"], ["--erase", "0.2"]]
)
def test_a_device_only_cuts(flags, session_of):
    with pytest.raises(FinegrainedError, match="--data-in memory"):
        session_of("device", *CUTS, *flags)
