"""`fgcrl predict --faces`: each face is cut out as the run's training pictures were, classified, told and drawn."""

import json
import shutil
import socket

import cv2
import numpy as np
import pandas as pd
import pytest
from drawn_faces import drawn_face, photograph
from PIL import Image

from finegrained_crl.cli.main import main
from finegrained_crl.data.images import read_image
from finegrained_crl.data.reading import Item
from finegrained_crl.export.card import export_card
from finegrained_crl.export.network import preprocessing
from finegrained_crl.faces.crop import FaceCrop
from finegrained_crl.faces.detector import Detector
from finegrained_crl.faces.prepare import BOX, FACE_COLUMNS
from finegrained_crl.training.face_batches import FaceFinder
from finegrained_crl.training.predictor import Predictor

THREE = [(20, 30, 150), (220, 30, 200), (470, 60, 120)]
CROP = FaceCrop(margin=0.2, size=96)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run on faces that were cut out with a margin of 0.2."""
    home = tmp_path_factory.mktemp("faces")
    for number in range(12):
        folder = home / "photos" / ("train" if number < 8 else "test") / ("women" if number % 2 else "men")
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(drawn_face(number, 160)).save(folder / f"{number}.png")
    words = ["--margin", "0.2", "--size", "96", "--out", str(home / "data")]
    assert main(["data", "prepare", "faces", str(home / "photos"), *words]) == 0
    flags = "--backbone test_resnet --weights none --image-size 32 --epochs 1 --batch-size 8 --workers 0"
    assert main(["finetune", "--data", str(home / "data"), *flags.split(), "--out", str(home / "run")]) == 0
    return home / "run"


@pytest.fixture
def three(tmp_path):
    path = tmp_path / "three.png"
    Image.fromarray(photograph(THREE, (300, 640))).save(path)
    return path


@pytest.fixture
def predict(run, tmp_path, capsys):
    """Runs `fgcrl predict --faces --out preds.csv`; (exit code, table, standard output, standard error)."""

    def start(*words):
        capsys.readouterr()
        out = tmp_path / "preds.csv"
        code = main(["predict", str(run), *map(str, words), "--faces", "--out", str(out)])
        said = capsys.readouterr()
        return code, pd.read_csv(out) if out.exists() else None, said.out, said.err

    return start


def scores_by_hand(run, path, crop):
    pixels = read_image(path)
    faces = [face for face in Detector(crop.min_size).find(pixels) if not crop.refused(face)]
    return faces, Predictor(run).predict([crop.cut(pixels, face) for face in faces]).table


def test_the_run_holds_how_its_faces_were_cut(run):
    results = json.loads((run / "results.json").read_text())
    assert results["data"]["face_crop"] == CROP.as_dict()
    assert results["protocol"]["text"].endswith("pictures prepared: faces cut out upright, margin 0.2, 96 px")


def test_a_row_per_face_says_what_the_run_says_of_its_crop(run, three, predict, monkeypatch):
    faces, expected = scores_by_hand(run, three, CROP)
    monkeypatch.setattr(socket, "socket", lambda *_args, **_how: pytest.fail("a socket was opened"))
    code, table, out, err = predict(three)
    assert (code, err) == (0, "")
    assert "3 predictions in" in out
    assert table.columns.tolist()[:3] == ["path", "face", "face_score"]
    assert set(FACE_COLUMNS) < set(table)
    assert table["path"].tolist() == [str(three)] * 3
    assert table["face"].tolist() == [0, 1, 2]
    assert table[["class", "probability"]].equals(expected[["class", "probability"]])
    assert np.allclose(table[list(BOX)], [face.box for face in faces], atol=0.06)
    assert table["box_left"].between(220, 420).tolist() == [True, False, False]


def test_who_is_too_small_is_not_classified(predict, tmp_path):
    Image.fromarray(photograph([(20, 20, 200), (300, 100, 80)], (240, 400))).save(tmp_path / "two.png")
    assert len(Detector().find(read_image(tmp_path / "two.png"))) == 2
    _, table, _, _ = predict(tmp_path / "two.png")
    assert table["box_width"].tolist() == pytest.approx([110], abs=40)


def test_another_margin(run, three, predict):
    _, own, _, _ = predict(three)
    _, wide, _, err = predict(three, "--face-margin", 0.8)
    _, expected = scores_by_hand(run, three, FaceCrop(margin=0.8, size=96))
    assert err == ""
    assert wide["probability"].tolist() == expected["probability"].tolist()
    assert wide["probability"].tolist() != own["probability"].tolist()


def test_a_run_that_holds_no_crop_says_so(run, three, predict, monkeypatch):
    begin = Predictor.__init__

    def forgetful(self, *args, **how):
        begin(self, *args, **how)
        self.face_crop = None

    monkeypatch.setattr(Predictor, "__init__", forgetful)
    code, table, _, err = predict(three)
    _, expected = scores_by_hand(run, three, FaceCrop())
    assert code == 0
    assert err.count("\n") == 1
    assert "taking a margin of 0.4; --face-margin sets another" in err
    assert table["probability"].tolist() == expected["probability"].tolist()
    assert predict(three, "--face-margin", 0.2)[3] == ""


@pytest.mark.parametrize("batch_size", [1, 2, 32])
def test_who_shows_no_face_is_told_and_the_others_are_classified(three, predict, tmp_path, batch_size):
    Image.fromarray(np.full((80, 80, 3), 90, np.uint8)).save(tmp_path / "wall.png")
    (tmp_path / "bad.png").write_bytes(three.read_bytes()[:99])
    drawn = tmp_path / "drawn"
    words = [three, tmp_path / "wall.png", tmp_path / "bad.png", three, "--batch-size", batch_size, "--draw", drawn]
    code, table, out, err = predict(*words)
    assert code == 1
    assert table["face"].tolist() == [0, 1, 2, 0, 1, 2]
    errors = pd.read_csv(tmp_path / "preds.errors.csv")
    assert errors["path"].tolist() == [str(tmp_path / "wall.png"), str(tmp_path / "bad.png")]
    assert "no face found of at least 60 px and score 0.8" in errors["error"][0]
    assert "unreadable image" in errors["error"][1]
    assert "2 could not be classified" in out
    assert err.count("\n") == 2
    assert len(list(drawn.iterdir())) == 2


def test_a_drawn_photograph_has_its_faces_marked(three, predict, tmp_path):
    (tmp_path / "other").mkdir()
    Image.open(three).save(tmp_path / "other" / three.name)
    _, table, _, _ = predict(three, tmp_path / "other" / three.name, "--draw", tmp_path / "drawn")
    names = sorted(path.name for path in (tmp_path / "drawn").iterdir())
    assert len(names) == 2
    assert "three.png.jpg" in names
    before, after = read_image(three).astype(int), read_image(tmp_path / "drawn" / "three.png.jpg").astype(int)
    assert after.shape == before.shape
    changed = np.abs(after - before).max(axis=2) > 60
    for row in table[:3].to_dict("records"):
        left, upper, _, height = (round(row[name]) for name in BOX)
        assert changed[upper + 20 : upper + height - 20, left - 1 : left + 2].any(axis=1).mean() > 0.9
        assert changed[round(row["nose_y"]), round(row["nose_x"])]
        assert changed[upper - 8 : upper, left : left + 20].mean() > 0.5  # what is said of it
    assert changed[:, 440:460].mean() < 0.05


def test_a_large_photograph_is_drawn_smaller(predict, tmp_path):
    Image.fromarray(photograph([(1500, 900, 400)], (1800, 2400))).save(tmp_path / "large.png")
    _, table, _, _ = predict(tmp_path / "large.png", "--draw", tmp_path / "drawn")
    drawn = read_image(tmp_path / "drawn" / "large.png.jpg").astype(int)
    assert drawn.shape == (1200, 1600, 3)
    x, y = (round(table.loc[0, f"nose_{axis}"] * 2 / 3) for axis in "xy")
    assert np.abs(drawn[y, x] - (255, 210, 0)).max() < 60
    left, lower = (round(value * 2 / 3) for value in (table.loc[0, "box_left"], table.loc[0, list(BOX)[1::2]].sum()))
    edge = drawn[lower - 40 : lower - 10, left - 2 : left + 3]
    assert (np.abs(edge - (255, 210, 0)).max(axis=2) < 60).any(axis=1).all()


def test_a_label_speaks_of_the_largest_face(three, predict, tmp_path):
    (tmp_path / "t.csv").write_text("path,label\nthree.png,women\n")
    _, table, out, _ = predict(tmp_path / "t.csv")
    right = int(table.loc[0, "class"] == "women")
    assert f"{right} of 1 labelled pictures are right" in out
    looked = FaceFinder(CROP, Detector(), convert=False, keep_pictures=False).look(Item(three, "three", "women"))
    assert [item.label for item, _ in looked.faces] == ["women", "", ""]


def test_faces_in_a_video(predict, tmp_path):
    path = tmp_path / "clip.avi"
    video = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 5, (640, 300))
    for shift in (0, 10, 20, 30):
        video.write(np.roll(photograph(THREE[:2], (300, 640)), shift, axis=1))
    video.release()
    code, table, _, _ = predict(path, tmp_path / "none.mp4", "--every", 2, "--draw", tmp_path / "drawn")
    assert code == 1
    assert table["path"].tolist() == [f"{path}#{number}" for number in (0, 0, 2, 2)]
    assert len(list((tmp_path / "drawn").iterdir())) == 2
    assert "no such video" in pd.read_csv(tmp_path / "preds.errors.csv")["error"][0]


def test_faces_that_are_cut_otherwise_are_told_when_a_run_is_evaluated_on_them(run, tmp_path, capsys):
    photos = run.parent / "photos"
    for name, words in {"wide": ["--margin", "0.6"], "same": ["--margin", "0.2", "--size", "64"]}.items():
        assert main(["data", "prepare", "faces", str(photos), *words, "--out", str(tmp_path / name)]) == 0
    told = {}
    for name, data in {"wide": tmp_path / "wide", "same": tmp_path / "same", "uncut": photos}.items():
        capsys.readouterr()
        words = ["--data", str(data), "--workers", "0", "--out", str(tmp_path / f"on-{name}")]
        assert main(["evaluate", str(run), *words]) == 0
        results = json.loads((tmp_path / f"on-{name}" / "results.json").read_text())
        told[name] = (capsys.readouterr().err, results["data"].get("face_crop", {}).get("margin"))
    assert "note: faces of the run: margin 0.2, faces of these pictures: margin 0.6" in told["wide"][0]
    assert "note: faces of the run: margin 0.2, faces of these pictures: unknown" in told["uncut"][0]
    assert "margin" not in told["same"][0]
    assert [margin for _, margin in told.values()] == [0.6, 0.2, None]


@pytest.mark.parametrize("broken", ["[1]", '{"margin": NaN}', '{"margin": 0.2, "colour": 1}', '"text"'])
def test_a_damaged_note_is_one_line_before_anything_is_trained(run, tmp_path, capsys, broken):
    shutil.copytree(run.parent / "data", tmp_path / "data")
    note = json.loads((tmp_path / "data" / "PREPARED.json").read_text())
    text = json.dumps(note | {"faces": "HERE"}).replace('"HERE"', broken)
    (tmp_path / "data" / "PREPARED.json").write_text(text)
    assert main(["finetune", "--data", str(tmp_path / "data"), "--out", str(tmp_path / "other")]) == 1
    err = capsys.readouterr().err
    assert f"{tmp_path / 'data'}: PREPARED.json is damaged: " in err
    assert err.count("\n") == 1
    assert not (tmp_path / "other").exists()


def test_other_programs_are_told_how_to_cut_faces(run):
    predictor = Predictor(run, device="cpu")
    assert preprocessing(predictor)["faces"] == CROP.as_dict()
    assert "on each side 0.2 of it" in export_card(predictor, "torchscript", {}, [])
    predictor.face_crop = None
    assert "faces" not in preprocessing(predictor)
    assert "faces are cut" not in export_card(predictor, "torchscript", {}, [])


def test_as_json(run, three, capsys):
    assert main(["predict", str(run), str(three), "--faces", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["images"] == 3
    assert {"face", "face_score", "left_eye_x", "class"} < told["predictions"][2].keys()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--face-margin", "0.3"], "--face-margin is for faces: add --faces"),
        (["--draw", "d"], "--draw is for faces: add --faces"),
        (["--faces", "--draw", "{full}"], "is there already: choose another"),
        (["--faces", "--face-margin", "-1"], "--margin must be from 0 to 3, got -1"),
        (["--faces", "--face-margin", "nan"], "--margin must be from 0 to 3, got nan"),
    ],
)
def test_mistakes_are_one_line(run, three, tmp_path, capsys, monkeypatch, words, told):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    assert main(["predict", str(run), str(three), *(word.format(full=tmp_path / "full") for word in words)]) == 1
    said = capsys.readouterr()
    assert told in said.err
    assert said.err.count("\n") == 1
