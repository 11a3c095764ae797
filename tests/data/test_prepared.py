"""A prepared copy: the same layout and rows, smaller pictures, gone on with after a kill, checked later."""

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from finegrained_crl.cli.main import main
from finegrained_crl.data import prepared
from finegrained_crl.data.images import read_image
from finegrained_crl.data.prepared import Preparation, changed_since, prepare, prepared_note
from finegrained_crl.data.transforms import shrunk
from finegrained_crl.errors import FinegrainedError
from finegrained_crl_datasets.cub200 import Cub200
from finegrained_crl_datasets.demo_birds import make_demo_birds


@pytest.fixture(scope="module")
def birds(tmp_path_factory):
    home = tmp_path_factory.mktemp("demo") / "birds"
    make_demo_birds(home, num_classes=2, images_per_class=6, size=64)
    paths = sorted(home.rglob("*.jpg"))
    Image.open(paths[0]).resize((30, 40)).save(paths[0], quality=80)
    return home


def work(birds, out, side=32):
    return Preparation(Cub200().read(birds), birds, out, side)


def test_the_copy_has_the_same_layout_and_the_pixels_of_a_resize(birds, tmp_path):
    note = prepare(work(birds, tmp_path / "small"))
    before, after = Cub200().read(birds), Cub200().read(tmp_path / "small")
    assert after.table.equals(before.table)
    assert (note["pictures"], note["resized"]) == (12, 11)
    for path in before.table["path"]:
        source, copy = before.root / path, after.root / path
        if min(Image.open(source).size) <= 32:
            assert copy.read_bytes() == source.read_bytes()
        else:
            assert min(Image.open(copy).size) == 32
            difference = read_image(copy).astype(int) - shrunk(read_image(source), 32)
            assert np.abs(difference).mean() < 4  # JPEG's own loss at quality 95
    assert prepared_note(tmp_path / "small") == "pictures prepared: short side at most 32 px"
    assert prepared_note(birds) == ""


def test_a_manifest_of_somebody_else_says_nothing(tmp_path):
    (tmp_path / "manifest.csv").write_text("name,size\na.jpg,12\n")
    assert changed_since(tmp_path) == []


@pytest.mark.parametrize("content", [b"", b"name,size\na.jpg,12\n", b"file,sha256\n\xff\xfe,1", b'file,sha256\n"a'])
def test_a_damaged_manifest_is_one_line(tmp_path, content):
    (tmp_path / "PREPARED.json").write_text("{}")
    (tmp_path / "manifest.csv").write_bytes(content)
    with pytest.raises(FinegrainedError, match=r"manifest\.csv") as error:
        changed_since(tmp_path)
    assert "\n" not in str(error.value)


def test_a_damaged_beginning_is_one_line(birds, tmp_path):
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / ".preparing.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FinegrainedError, match="the beginning of another copy"):
        prepare(work(birds, tmp_path / "small"))


def test_an_interrupted_copy_goes_on_where_it_was(birds, tmp_path, monkeypatch):
    out, real, calls = tmp_path / "small", prepared._resized, []

    def killed(source, work):
        calls.append(source)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return real(source, work)

    monkeypatch.setattr(prepared, "_resized", killed)
    monkeypatch.setattr(prepared.os, "cpu_count", lambda: 1)
    with pytest.raises(KeyboardInterrupt):
        prepare(work(birds, out))
    assert not (out / "PREPARED.json").exists()
    with (out / ".preparing.jsonl").open("a") as log:
        log.write('{"path": "images/x.jpg"}\n{"path": "cut o')
    with pytest.raises(FinegrainedError, match="beginning of another copy"):
        prepare(work(birds, out, side=48))
    rows = [json.loads(line) for line in (out / ".preparing.jsonl").read_text().splitlines()[1:-2]]
    done = next(row for row in rows if row["resized"])
    changed = next(row for row in rows if row["resized"] and row != done)
    (out / changed["file"]).write_bytes(b"damaged")
    calls[:] = range(100)
    prepare(work(birds, out))
    again = {str(source) for source in calls[100:]}
    assert not any(source.endswith(done["path"]) for source in again)
    assert any(source.endswith(changed["path"]) for source in again)
    whole = tmp_path / "whole"
    prepare(work(birds, whole))
    names = sorted(path.relative_to(whole) for path in whole.rglob("*") if path.is_file())
    assert names == sorted(path.relative_to(out) for path in out.rglob("*") if path.is_file())
    assert all((out / name).read_bytes() == (whole / name).read_bytes() for name in names)


def test_a_source_that_changed_meanwhile_is_copied_again(tmp_path):
    home = tmp_path / "birds"
    make_demo_birds(home, num_classes=2, images_per_class=3, size=48)
    begun = work(home, tmp_path / "small")
    prepare(begun)
    # As a kill before the last two files leaves it.
    rows = pd.read_csv(tmp_path / "small" / "manifest.csv").to_dict("records")
    lines = [json.dumps(begun.what), *(json.dumps(row) for row in rows)]
    (tmp_path / "small" / ".preparing.jsonl").write_text("\n".join(lines) + "\n")
    (tmp_path / "small" / "PREPARED.json").unlink()
    victim = sorted(home.rglob("*.jpg"))[2]
    Image.new("RGB", (64, 48), "red").save(victim)
    prepare(begun)
    assert read_image(tmp_path / "small" / victim.relative_to(home)).mean((0, 1))[0] > 200


def test_a_finished_copy_is_left_alone(birds, tmp_path):
    prepare(work(birds, tmp_path / "small"))
    with pytest.raises(FinegrainedError, match="is a finished copy"):
        prepare(work(birds, tmp_path / "small"))


def test_a_copy_that_changed_is_told(birds, tmp_path, capsys):
    out = tmp_path / "small"
    assert main(["data", "prepare", "cub200", "--data", str(birds), "--short-side", "32", "--out", str(out)]) == 0
    assert "12 pictures (11 resized)" in capsys.readouterr().out
    assert main(["data", "verify", "cub200", "--data", str(out)]) == 0
    capsys.readouterr()
    victim = sorted(out.rglob("*.jpg"))[3]
    Image.new("RGB", (32, 32)).save(victim)
    assert changed_since(out) == [victim.relative_to(out).as_posix()]
    assert main(["data", "verify", "cub200", "--data", str(out), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["files"]["changed since prepared"] == [
        victim.relative_to(out).as_posix()
    ]


def test_runs_say_that_their_pictures_were_prepared(tiny_folder, tiny_flags, tmp_path):
    out = tmp_path / "small"
    words = ["data", "prepare", "image_folder", "--data", str(tiny_folder), "--short-side", "36", "--out", str(out)]
    assert main(words) == 0
    flags = ["--data", str(out), *tiny_flags[2:], "--epochs", "1", "--out", str(tmp_path / "run")]
    assert main(["finetune", *flags]) == 0
    text = json.loads((tmp_path / "run" / "results.json").read_text())["protocol"]["text"]
    assert text.endswith("pictures prepared: short side at most 36 px")


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ([], "--out is missing"),
        (["--out", "inside"], "lie in each other"),
        (["--out", "full"], "is not empty: choose another --out"),
        (["--out", "new", "--short-side", "3"], "--short-side must be from 16 to 8192, got 3"),
    ],
)
def test_mistakes_are_one_line(words, problem, birds, tmp_path, capsys):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    places = {"inside": birds / "copy", "full": tmp_path / "full", "new": tmp_path / "new"}
    words = [str(places.get(word, word)) for word in words]
    assert main(["data", "prepare", "cub200", "--data", str(birds), *words]) == 1
    assert problem in capsys.readouterr().err
    assert not (birds / "copy").exists()


def test_pictures_in_files_of_many_and_of_other_kinds_are_refused(tmp_path, capsys):
    assert main(["data", "make", "demo-small", str(tmp_path / "small"), "--images-per-class", "12"]) == 0
    words = ["--data", str(tmp_path / "small"), "--out", str(tmp_path / "out")]
    assert main(["data", "prepare", "cifar10", *words]) == 1
    assert "train with --data-in memory" in capsys.readouterr().err
