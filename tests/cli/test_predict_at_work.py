"""`fgcrl predict` for work: rows as they come, bad files told, labels counted, streams, calibration, abstention."""

import io
import json
import multiprocessing
import os
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pandas as pd
import pytest
from known_runs import known_flags
from known_set import CLASSES, SIDE, softmax
from PIL import Image

from finegrained_crl.cli.main import main
from finegrained_crl.metrics.selective import risk_threshold
from finegrained_crl.training.predictor import Predictor

KNOWING = Path(__file__).parents[1] / "third_party" / "knowing"
NO_CHILDREN = pytest.mark.skipif(
    multiprocessing.current_process().daemon, reason="a process that tries faults may start none of its own"
)


@pytest.fixture(scope="module")
def run(known, tmp_path_factory):
    folder = tmp_path_factory.mktemp("work") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(KNOWING)
        assert main(["finetune", *known_flags(known, "--loss", "crl"), "--out", str(folder)]) == 0
        yield folder


@pytest.fixture
def predict(run, tmp_path, capsys):
    """Runs `fgcrl predict --out preds.csv`; (exit code, table, standard output, standard error)."""

    def start(*words):
        capsys.readouterr()
        here = [] if "--workers" in words else ["--workers", "0"]
        code = main(["predict", str(run), *map(str, words), *here, "--out", str(tmp_path / "preds.csv")])
        said = capsys.readouterr()
        out = tmp_path / "preds.csv"
        return code, pd.read_csv(out) if out.exists() else None, said.out, said.err

    return start


@pytest.fixture
def mixed(known, tmp_path):
    """A list of 20 test pictures with 8 that can't be read between them; the good ones."""
    good = [known.csv.parent / path for path in known.part("test")["path"][:20]]
    paths = list(map(str, good))
    for i in range(8):
        (tmp_path / f"bad{i}.png").write_bytes(good[0].read_bytes()[: 30 + i])
        paths.insert(3 * i, str(tmp_path / f"bad{i}.png"))
    (tmp_path / "list.csv").write_text("path\n" + "\n".join(paths) + "\n")
    return tmp_path / "list.csv", [str(path) for path in good]


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=NO_CHILDREN)])
def test_bad_files_stand_in_a_table_and_the_others_are_classified(predict, mixed, tmp_path, workers):
    code, table, out, err = predict(mixed[0], "--batch-size", 5, "--workers", workers)
    assert code == 1
    assert table["path"].tolist() == mixed[1]
    errors = pd.read_csv(tmp_path / "preds.errors.csv")
    assert errors["path"].tolist() == [str(tmp_path / f"bad{i}.png") for i in range(8)]
    assert errors["error"].str.contains("unreadable image").all()
    assert err.count("not classified:") == err.count("\n") == 5
    assert f"8 could not be classified: {tmp_path / 'preds.errors.csv'}" in out


def test_the_errors_of_an_earlier_run_do_not_stay(predict, mixed, tmp_path):
    predict(mixed[0])
    assert predict(mixed[1][0])[0] == 0
    assert not (tmp_path / "preds.errors.csv").exists()


def test_errors_go_where_asked_also_when_there_are_none(predict, mixed, tmp_path):
    assert predict(mixed[1][0], "--errors", tmp_path / "wrong.csv")[0] == 0
    assert (tmp_path / "wrong.csv").read_text() == "path,error\n"
    assert predict(mixed[0], "--errors", tmp_path / "wrong.csv")[0] == 1
    assert len(pd.read_csv(tmp_path / "wrong.csv")) == 8
    assert not (tmp_path / "preds.errors.csv").exists()


def test_rows_are_written_as_batches_come(predict, mixed, tmp_path, monkeypatch):
    seen, scores = [], Predictor.scores

    def spy(self, views):
        partial = tmp_path / ".preds.csv.partial"
        seen.append(partial.read_text().count("\n"))
        assert not (tmp_path / "preds.csv").exists()
        return scores(self, views)

    monkeypatch.setattr(Predictor, "scores", spy)
    predict(*mixed[1][:6], "--batch-size", 2)
    assert seen == [1, 3, 5]


@pytest.mark.parametrize("failure", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_what_fails_for_good_leaves_what_was_there(predict, mixed, tmp_path, monkeypatch, failure):
    (tmp_path / "preds.csv").write_text("path\nolder\n")
    scores, calls = Predictor.scores, []

    def fail(self, views):
        calls.append(0)
        if len(calls) == 2:
            raise failure
        return scores(self, views)

    monkeypatch.setattr(Predictor, "scores", fail)
    code, table, _, err = predict(*mixed[1], "--batch-size", 2)
    assert code in (1, 130)
    assert err.count("\n") == 1
    assert table["path"].tolist() == ["older"]
    assert not (tmp_path / ".preds.csv.partial").exists()


def test_labels_of_a_table_are_counted(predict, known, tmp_path):
    test = known.part("test")
    labels = test["label"].tolist()
    labels[0], labels[1] = "", "dodo"
    paths = [str(known.csv.parent / path) for path in test["path"]]
    pd.DataFrame({"path": paths, "label": labels, "kind": test["label"]}).to_csv(tmp_path / "list.csv", index=False)
    right = [CLASSES[k] for k in known.logits(test).argmax(1)] == test["label"].to_numpy()
    _, _, out, _ = predict(tmp_path / "list.csv")
    assert f"{right[2:].sum()} of {len(test) - 2} labelled pictures are right ({100 * right[2:].mean():.2f} %)" in out
    assert "1 labels are no class of the run" in out
    top2 = np.argsort(-known.logits(test), axis=1)[:, :2]
    near = [label in [CLASSES[k] for k in row] for label, row in zip(test["label"], top2, strict=True)]
    _, _, out, _ = predict(tmp_path / "list.csv", "--label-column", "kind", "--top", 2)
    assert f"{right.sum()} of {len(test)} labelled pictures are right" in out
    assert f"{100 * np.mean(near):.2f} % among the first 2" in out
    assert "labelled" not in predict(paths[0])[2]


def test_paths_come_on_standard_input(predict, mixed, monkeypatch):
    listed = "\n".join([*mixed[1][:3], "", mixed[1][3]])
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(listed.encode())))
    assert predict("-")[1]["path"].tolist() == mixed[1][:4]
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\n")))
    code, _, _, err = predict("-")
    assert code == 1
    assert "no picture named on standard input" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("kind", ["csv", "tsv", "parquet"])
def test_tables_of_each_kind(predict, mixed, tmp_path, kind):
    table = pd.DataFrame({"path": mixed[1]})
    path = tmp_path / f"list.{kind}"
    if kind == "parquet":
        table.to_parquet(path)
    else:
        table.to_csv(path, sep="\t" if kind == "tsv" else ",", index=False)
    assert predict(path)[1]["path"].tolist() == mixed[1]


def test_a_table_without_a_path_is_one_line(predict, tmp_path):
    (tmp_path / "list.csv").write_text("path\n")
    code, _, _, err = predict(tmp_path / "list.csv")
    assert (code, err.count("\n")) == (1, 1)
    assert "names no picture in its column 'path'" in err


@pytest.fixture
def clip(known, tmp_path):
    """The first six test pictures as a video that loses nothing that matters; their paths."""
    paths = [known.csv.parent / path for path in known.part("test")["path"][:6]]
    writer = cv2.VideoWriter(str(tmp_path / "clip.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 10, (SIDE, SIDE))
    for path in paths:
        writer.write(np.asarray(Image.open(path).convert("RGB"))[..., ::-1])
    writer.release()
    return tmp_path / "clip.avi", list(map(str, paths))


def test_frames_of_a_video_are_pictures(predict, clip):
    by_file = predict(*clip[1])[1]
    code, table, _, _ = predict(clip[0], "--batch-size", 4)
    assert code == 0
    assert table["path"].tolist() == [f"{clip[0]}#{i}" for i in range(6)]
    assert np.allclose(table["probability"], by_file["probability"], atol=0.05)
    assert (table["label"] == by_file["label"]).mean() > 0.8
    some = predict(clip[0], "--every", 2, "--frames", 2)[1]
    assert some["path"].tolist() == [f"{clip[0]}#0", f"{clip[0]}#2"]


def test_a_stream_that_gives_nothing_stops_nobody(predict, clip, tmp_path):
    (tmp_path / "bad.mp4").write_text("no video")
    code, table, _, err = predict(tmp_path / "bad.mp4", "camera:97", clip[0])
    assert code == 1
    assert len(table) == 6
    errors = pd.read_csv(tmp_path / "preds.errors.csv")
    assert errors["path"].tolist() == [str(tmp_path / "bad.mp4"), "camera:97"]
    assert err.count("\n") == 2


def test_a_camera_ends_by_hand_and_keeps_its_rows(predict, mixed, monkeypatch):
    from finegrained_crl.data.reading import Item

    def watch(source, **_how):
        for i in range(3):
            yield Item(np.asarray(Image.open(mixed[1][i]).convert("RGB")), f"{source}#{i}")
        raise KeyboardInterrupt

    monkeypatch.setattr("finegrained_crl.training.input_batches.frames", watch)
    code, table, out, _ = predict("camera:0")
    assert code == 0
    assert table["path"].tolist() == ["camera:0#0", "camera:0#1", "camera:0#2"]
    assert "3 predictions in" in out


def test_what_was_done_to_the_probabilities_stands_in_the_output(predict, run, known, mixed):
    temperature = json.loads((run / "results.json").read_text())["temperatures"]["last"]
    code, table, out, _ = predict(*mixed[1], "--calibrate", "temperature")
    expected = softmax(known.logits(known.part("test")[:20]) / temperature)
    assert code == 0
    assert np.allclose(table["probability"], expected.max(1), atol=1e-4)
    assert set(table["calibration"]) == {f"temperature {temperature:.6g}"}
    assert f"probabilities by temperature {temperature:.6g}" in out
    link = predict(*mixed[1], "--calibrate", "link")[1]
    assert set(link["calibration"]) == {"link alpha=1.5 beta=1"}
    assert (link["probability"] <= predict(*mixed[1])[1]["probability"]).all()
    assert "calibration" not in predict(mixed[1][0])[1]


def test_a_run_abstains_below_the_threshold_of_its_validation_part(predict, run, known):
    frame = pd.read_parquet(run / "predictions.parquet").query("part == 'val' and weights == 'last'")
    p = softmax(np.stack(frame["logits"]).astype(np.float64))
    right = p.argmax(1) == frame["label"].to_numpy()
    threshold = risk_threshold(p.max(1), right, 0.4)
    listed = known.csv.parent / "abstain.csv"
    known.part("test")[["path", "label"]].to_csv(listed, index=False)
    code, table, out, _ = predict(listed, "--max-risk", "0.4", "--label-column", "label")
    assert code == 0
    assert table["abstained"].tolist() == (table["probability"] < threshold.confidence).tolist()
    assert table["abstained"].nunique() == 2
    assert f"abstains below probability {threshold.confidence:.4f}" in out
    coverage, error, bound = (100 * share for share in (threshold.coverage, threshold.error, threshold.bound))
    assert f"{coverage:.1f} % are answered, {error:.2f} % of these wrongly; at most {bound:.2f} % with 95 %" in out
    answered = table[~table["abstained"]]
    share = (answered["class"] == known.part("test")["label"].to_numpy()[answered.index]).mean()
    assert f"{len(answered)} answered, {100 * share:.2f} % of these right" in out


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["--max-risk", "0.001"], "no threshold keeps it with 95 % confidence"),
        (["--max-risk", "5"], "--max-risk must be a share between 0 and 1"),
        (["--top", "0"], "--top must be at least 1"),
        (["--every", "0"], "--every must be at least 1"),
        (["--frames", "0"], "--frames must be at least 1"),
    ],
)
def test_mistakes_are_one_line(predict, mixed, words, error):
    code, table, _, err = predict(mixed[1][0], *words)
    assert (code, table, err.count("\n")) == (1, None, 1)
    assert error in err


def test_json_holds_what_the_tables_hold(run, mixed, capsys):
    capsys.readouterr()
    assert main(["predict", str(run), str(mixed[0]), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["images"] == len(told["predictions"]) == 20
    assert len(told["errors"]) == 8
    assert told["calibration"] == "none"
    assert told["accuracy"] is told["threshold"] is None


def test_avif_is_read_where_pillow_has_it(predict, mixed, tmp_path):
    features = pytest.importorskip("PIL.features")
    if not features.check("avif"):
        pytest.skip("this Pillow reads no AVIF")
    Image.open(mixed[1][0]).convert("RGB").save(tmp_path / "a.avif", quality=100, subsampling="4:4:4")
    code, table, _, _ = predict(tmp_path / "a.avif", mixed[1][0])
    assert code == 0
    assert table["class"].nunique() == 1
    assert np.ptp(table["probability"]) < 0.02


def test_heic_is_read_where_its_package_is(predict, mixed, tmp_path):
    heif = pytest.importorskip("pillow_heif")
    heif.from_pillow(Image.open(mixed[1][0]).convert("RGB")).save(
        tmp_path / "a.HEIC", quality=-1, chroma=444, matrix_coefficients=0
    )
    code, table, _, _ = predict(tmp_path, mixed[1][0])
    assert code == 1  # of the bad pictures in this folder
    assert table["path"].tolist() == [str(tmp_path / "a.HEIC"), mixed[1][0]]
    assert table["probability"].nunique() == 1
    assert table["top5_classes"].nunique() == 1
    (tmp_path / "b.heic").write_bytes((tmp_path / "a.HEIC").read_bytes()[:300])
    assert "unreadable image" in predict(tmp_path / "b.heic")[3]


def test_rows_on_standard_output_are_only_rows(run, mixed, capsys, known, tmp_path):
    table = tmp_path / "l.csv"
    pd.DataFrame({"path": mixed[1][:2], "label": known.part("test")["label"][:2]}).to_csv(table, index=False)
    capsys.readouterr()
    assert main(["predict", str(run), str(table)]) == 0
    said = capsys.readouterr()
    assert len(pd.read_csv(io.StringIO(said.out))) == 2
    assert "labelled pictures are right" in said.err
    assert main(["predict", str(run), mixed[1][0], "--out", os.devnull]) == 0


@pytest.mark.parametrize(("pictures", "wished", "workers"), [(8, -1, 0), (9, -1, 3), (9, 0, 0), (8, 2, 2)])
def test_a_few_pictures_are_read_without_other_processes(pictures, wished, workers, monkeypatch):
    from finegrained_crl.training import input_batches

    class Pictures(list):
        transform = SimpleNamespace(settings=SimpleNamespace(views="single", image_size=32))

    monkeypatch.setattr(input_batches, "default_workers", lambda has_gpu: 3)
    assert input_batches.fitting_workers(Pictures(range(pictures)), 2, wished) == workers
