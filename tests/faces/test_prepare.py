"""`fgcrl data prepare faces`: what is written, gone on with after a kill, and told of files that are no pictures."""

import hashlib
import json
import socket

import numpy as np
import pandas as pd
import pytest
from drawn_faces import drawn_face, photograph
from PIL import Image

from finegrained_crl.cli.main import main
from finegrained_crl.data.images import read_image
from finegrained_crl.data.prepared import changed_since, face_crop_of, prepared_note
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.faces import prepare
from finegrained_crl.faces.crop import FaceCrop
from finegrained_crl.faces.detector import Detector
from finegrained_crl.faces.prepare import FacePreparation, prepare_faces

TWO = [(30, 40, 200), (300, 100, 150)]


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """One person alone, two together, one too small to take, and a wall; in two folders."""
    home = tmp_path_factory.mktemp("faces") / "photos"
    (home / "train" / "alone").mkdir(parents=True)
    (home / "test").mkdir()
    save(drawn_face(0, 220), home / "train" / "alone" / "a.jpg")
    save(photograph(TWO, (320, 500)), home / "test" / "two.png")
    save(photograph([(20, 20, 60)], (120, 120)), home / "test" / "small.png")
    save(np.full((90, 90, 3), 140, np.uint8), home / "test" / "wall.png")
    return home


def save(pixels, path, **how):
    Image.fromarray(pixels).save(path, **how)


def make(photos, out, **how):
    names = {path.relative_to(photos).as_posix(): path for path in sorted(photos.rglob("*.*"))}
    return FacePreparation(names, out, **how)


def test_each_face_is_cut_out_in_the_folder_of_its_photograph(photos, tmp_path):
    note, failed = prepare_faces(make(photos, tmp_path / "out", crop=FaceCrop(size=100)))
    assert failed == []
    assert (note["photographs"], note["pictures"], note["failed"]) == (4, 3, 0)
    assert note["skipped"] == {"no face found": 1, "too small": 1}
    table = pd.read_csv(tmp_path / "out" / "manifest.csv")
    taken = table[table["file"].notna()]
    assert taken["file"].tolist() == ["test/two.png.face0.jpg", "test/two.png.face1.jpg", "train/alone/a.jpg.face0.jpg"]
    assert taken["original"].tolist() == ["test/two.png", "test/two.png", "train/alone/a.jpg"]
    assert dict(zip(table["original"], table["skipped"], strict=True))["test/wall.png"] == "no face found"
    assert table["skipped"].str.contains("px, smaller than 60").sum() == 1
    (left, right) = Detector().find(read_image(photos / "test" / "two.png"))
    row = taken.iloc[0]
    assert [row[name] for name in prepare.BOX] == pytest.approx(left.box, abs=0.06)
    assert [row["left_eye_x"], row["mouth_right_y"]] == pytest.approx(
        [left.landmarks[0, 0], left.landmarks[4, 1]], abs=0.06
    )
    expected = FaceCrop(size=100).cut(read_image(photos / "test" / "two.png"), right)
    difference = read_image(tmp_path / "out" / "test" / "two.png.face1.jpg").astype(int) - expected
    assert np.abs(difference).mean() < 2  # JPEG's own loss
    assert prepared_note(tmp_path / "out") == "pictures prepared: faces cut out upright, margin 0.4, 100 px"
    assert face_crop_of(tmp_path / "out") == FaceCrop(size=100).as_dict()
    assert face_crop_of(photos) is None


def test_a_small_face_of_a_large_photograph(tmp_path):
    save(photograph([(1500, 900, 150)], (1800, 2400)), tmp_path / "large.png")
    crop = FaceCrop(min_score=0.6)
    note, _ = prepare_faces(FacePreparation({"large.png": tmp_path / "large.png"}, tmp_path / "out", crop))
    assert note["pictures"] == 1


def test_what_changed_since_is_found(photos, tmp_path):
    prepare_faces(make(photos, tmp_path / "out"))
    assert changed_since(tmp_path / "out") == []
    (tmp_path / "out" / "test" / "two.png.face1.jpg").write_bytes(b"other")
    assert changed_since(tmp_path / "out") == ["test/two.png.face1.jpg"]


def test_the_largest_alone(photos, tmp_path):
    note, _ = prepare_faces(make(photos, tmp_path / "out", largest=True))
    assert note["pictures"] == 2
    assert note["skipped"]["not the largest"] == 1
    assert not (tmp_path / "out" / "test" / "two.png.face1.jpg").exists()


def test_an_interrupted_preparation_goes_on_where_it_was(photos, tmp_path, monkeypatch):
    out, real, seen = tmp_path / "out", prepare._cut, []

    def killed(work, detector, budget, name):
        seen.append(name)
        if len(seen) == 3:
            raise KeyboardInterrupt
        return real(work, detector, budget, name)

    monkeypatch.setattr(prepare, "_cut", killed)
    monkeypatch.setattr(prepare.os, "cpu_count", lambda: 1)
    with pytest.raises(KeyboardInterrupt):
        prepare_faces(make(photos, out))
    assert not (out / "PREPARED.json").exists()
    with (out / ".preparing.jsonl").open("a") as log:
        log.write('{"original": "cut o')
    with pytest.raises(FinegrainedError, match="the beginning of another preparation"):
        prepare_faces(make(photos, out, crop=FaceCrop(margin=0.5)))
    done = [json.loads(line) for line in (out / ".preparing.jsonl").read_text().splitlines()[1:-1]]
    assert [row["original"] for row in done] == ["test/small.png", "test/two.png"]
    (out / "test" / "two.png.face0.jpg").write_bytes(b"damaged")
    seen[:] = ["earlier"] * 3
    prepare_faces(make(photos, out))
    assert seen[3:] == ["test/two.png", "test/wall.png", "train/alone/a.jpg"]
    whole = tmp_path / "whole"
    prepare_faces(make(photos, whole))
    names = sorted(path.relative_to(whole) for path in whole.rglob("*") if path.is_file())
    assert names == sorted(path.relative_to(out) for path in out.rglob("*") if path.is_file())
    assert all((whole / name).read_bytes() == (out / name).read_bytes() for name in names)
    with pytest.raises(FinegrainedError, match="is finished: choose another --out"):
        prepare_faces(make(photos, out))


@pytest.mark.parametrize(
    "line",
    [
        '{"original": "test/two.png", "rows": 5, "failed": "", "source_sha256": ""}',
        '{"original": "test/two.png", "rows": [5], "failed": "", "source_sha256": ""}',
        '{"original": "test/two.png", "rows": [{"file": 5}], "failed": "", "source_sha256": "DIGEST"}',
        '{"original": "test/two.png", "rows": [{"file": "x"}], "failed": "", "source_sha256": "DIGEST"}',
        '{"original": ["a"], "rows": [], "failed": ""}',
        "[1]",
        "\\xff",
    ],
)
def test_a_damaged_line_of_progress_is_done_again(photos, tmp_path, line):
    out = tmp_path / "out"
    out.mkdir()
    digest = hashlib.sha256((photos / "test" / "two.png").read_bytes()).hexdigest()
    first = json.dumps(make(photos, out).what)
    (out / ".preparing.jsonl").write_text(first + "\n" + line.replace("DIGEST", digest) + "\n")
    note, _ = prepare_faces(make(photos, out))
    assert note["pictures"] == 3


def test_a_damaged_beginning_is_one_line(photos, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ".preparing.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FinegrainedError, match="the beginning of another preparation"):
        prepare_faces(make(photos, tmp_path / "out"))


def test_a_changed_photograph_is_looked_at_again(photos, tmp_path, monkeypatch):
    copy = tmp_path / "copy.png"
    save(photograph(TWO, (320, 500)), copy)
    work = FacePreparation({"copy.png": copy}, tmp_path / "out")
    with monkeypatch.context() as patch:
        patch.setattr(prepare, "_finish", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            prepare_faces(work)
    save(drawn_face(0, 220), copy)
    note, _ = prepare_faces(work)
    assert note["pictures"] == 1


def test_bad_files_are_a_line_each_and_the_others_are_done(photos, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(socket, "socket", lambda *_args, **_how: pytest.fail("a socket was opened"))
    home = tmp_path / "photos"
    home.mkdir()
    save(drawn_face(0, 220), home / "good.jpg")
    (home / "cut.jpg").write_bytes((home / "good.jpg").read_bytes()[:3000])
    (home / "empty.png").touch()
    (home / "text.webp").write_text("no picture")
    Image.new("CMYK", (90, 90)).save(home / "print.jpg")
    assert main(["data", "prepare", "faces", str(home), "--out", str(tmp_path / "out")]) == 1
    said = capsys.readouterr()
    assert said.err.count("\n") == said.err.count("not read: ") == 4
    assert all(name in said.err for name in ("cut.jpg", "empty.png", "text.webp", "print.jpg"))
    assert "1 faces of 5 photographs" in said.out
    assert "4 unreadable" in said.out
    table = pd.read_csv(tmp_path / "out" / "manifest.csv")
    assert table["skipped"].notna().sum() == 4
    assert main(["data", "prepare", "faces", str(home), "--out", str(tmp_path / "again"), "--convert-images"]) == 1
    assert "print.jpg" not in capsys.readouterr().err


def test_a_camera_s_orientation_is_applied(tmp_path):
    turned = np.ascontiguousarray(np.rot90(photograph([(100, 60, 200)], (320, 400)), 1))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    save(turned, tmp_path / "camera.jpg", exif=exif, quality=95)
    prepare_faces(FacePreparation({"camera.jpg": tmp_path / "camera.jpg"}, tmp_path / "out"))
    row = pd.read_csv(tmp_path / "out" / "manifest.csv").iloc[0]
    assert abs(row["tilt"]) < 10
    assert 100 < row["left_eye_x"] < row["right_eye_x"] < 300


def test_a_full_disk_is_no_fault_of_the_photograph(photos, tmp_path, monkeypatch):
    real = prepare.files.write_bytes

    def full(path, content, **how):
        if path.suffix == ".jpg":
            raise FinegrainedError("can't write (No space left on device)")
        real(path, content, **how)

    monkeypatch.setattr(prepare.files, "write_bytes", full)
    with pytest.raises(FinegrainedError, match="No space left"):
        prepare_faces(make(photos, tmp_path / "out"))
    assert not (tmp_path / "out" / "PREPARED.json").exists()


def test_a_table_of_labels_goes_on_with_its_faces(photos, tmp_path, capsys):
    rows = "name,age,split\ntest/two.png,31,train\n./train/alone/a.jpg,24,test\ntest/wall.png,50,train\n"
    (photos / "people.csv").write_text(rows)
    words = ["--path-column", "name", "--out", str(tmp_path / "out")]
    assert main(["data", "prepare", "faces", str(photos / "people.csv"), *words]) == 0
    (photos / "people.csv").unlink()
    assert "2 faces of 3 photographs" in capsys.readouterr().out
    table = pd.read_csv(tmp_path / "out" / "labels.csv", dtype=str)
    assert table.to_dict("list") == {
        "name": ["test/two.png.face0.jpg", "train/alone/a.jpg.face0.jpg"],
        "age": ["31", "24"],
        "split": ["train", "test"],
    }


def test_a_table_s_pictures_may_lie_in_a_folder_beside_it(tmp_path):
    (tmp_path / "in").mkdir()
    save(drawn_face(0, 220), tmp_path / "in" / "a.png")
    (tmp_path / "people.csv").write_text("path,label\na.png,x\n")
    words = ["--image-root", "in", "--out", str(tmp_path / "out"), "--json"]
    assert main(["data", "prepare", "faces", str(tmp_path / "people.csv"), *words]) == 0
    assert (tmp_path / "out" / "labels.csv").read_text() == "path,label\na.png.face0.jpg,x\n"


def test_each_flag_changes_what_is_made(photos, tmp_path, capsys):
    flags = "--margin 0.1 --size 40 --min-score 0.7 --min-size 30 --largest --convert-images --json"
    assert main(["data", "prepare", "faces", str(photos), *flags.split(), "--out", str(tmp_path / "out")]) == 0
    note = json.loads(capsys.readouterr().out)
    assert note["faces"] == {"margin": 0.1, "size": 40, "min_score": 0.7, "min_size": 30}
    assert note["largest"] is note["convert"] is True
    assert note["pictures"] == 3  # one of the small person too
    assert read_image(tmp_path / "out" / "test" / "small.png.face0.jpg").shape == (40, 40, 3)


def test_a_name_that_is_as_long_as_a_name_can_be(tmp_path):
    name = "n" * 240 + ".png"
    save(drawn_face(0, 220), tmp_path / name)
    note, failed = prepare_faces(FacePreparation({name: tmp_path / name}, tmp_path / "out"))
    assert (note["pictures"], failed) == (1, [])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nowhere", "--out", "o"], "no picture found for nowhere"),
        (["{photos}", "--out", "{photos}/inside"], "lies among the photographs"),
        (["{photos}", "--out", "{photos}"], "lies among the photographs"),
        (["{photos}"], "the following arguments are required: --out"),
        (["{photos}", "--out", "o", "--margin", "9"], "--margin must be from 0 to 3, got 9"),
        (["{photos}", "--out", "o", "--margin", "wide"], "--margin: invalid float value"),
        (["{photos}", "--out", "{tests}"], "is not empty: choose another --out"),
        (["{table}", "--out", "o"], "has no column 'path'"),
        (["{table}", "--out", "o", "--path-column", "outside"], "leads out of its folder"),
        (["{table}", "--out", "o", "--path-column", "nothing"], "it names no picture"),
    ],
)
def test_mistakes_are_one_line(photos, tmp_path, capsys, monkeypatch, words, told):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_text("outside,nothing\n../x.jpg,\n")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    places = {"photos": photos, "table": tmp_path / "t.csv", "tests": tmp_path / "full"}
    assert main(["data", "prepare", "faces", *(word.format(**places) for word in words)]) == 1
    err = capsys.readouterr().err
    assert told in err
    assert err.count("\n") == 1
    assert not (tmp_path / "o").exists()
