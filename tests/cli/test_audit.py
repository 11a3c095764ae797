"""`fgcrl data audit`, and training on a split that leaks."""

import json
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from finegrained_crl.cli import data_audit
from finegrained_crl.cli.main import main
from finegrained_crl.data import contact_sheet
from finegrained_crl.data.folds import cut_validation
from finegrained_crl.data.records import make_records

TRAIN = "u/landmark_aligned_face.{}.{}_o.jpg {}\n"


def audit(capsys, *words):
    code = main(["data", "audit", *map(str, words), "--json"])
    out, err = capsys.readouterr()
    return code, json.loads(out) if out else {}, err


@pytest.fixture
def people(tmp_path):
    """Twelve pictures of six people in two classes, in a table with folds."""
    lines = ["path,label,subject,fold"]
    for i in range(12):
        pixels = np.random.default_rng(i).integers(0, 256, (6, 6, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((48, 48), Image.Resampling.BICUBIC).save(tmp_path / f"{i}.png")
        lines.append(f"{i}.png,{'ab'[i % 2]},p{i // 2},{i // 4}")
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    return tmp_path


def test_clean_folds(people, capsys):
    code, report, _ = audit(capsys, "table", "--data", people)
    assert (code, report["ok"], report["files_read"]) == (0, True, 12)
    assert report["parts"] == {"fold 0": 4, "fold 1": 4, "fold 2": 4}


def test_one_split_with_its_validation_part(people, capsys):
    code, report, _ = audit(capsys, "table", "--data", people, "--fold", 1, "--val-fraction", 0.25, "--labels-only")
    assert (code, list(report["parts"])) == (0, ["train", "val", "test"])


def test_albums_and_originals_of_a_table(people, capsys):
    lines = (people / "labels.csv").read_text().splitlines()
    lines = [lines[0] + ",album,photo", *(f"{line},a{i // 6},{i}" for i, line in enumerate(lines[1:]))]
    (people / "labels.csv").write_text("\n".join(lines))
    code, report, _ = audit(capsys, "table", "--data", people, "--labels-only", "--original-column", "photo")
    assert code == 1
    assert [(c["kind"], c["first"], c["second"]) for c in report["crossings"]] == [
        ("album", "fold 0", "fold 1"),
        ("album", "fold 1", "fold 2"),
    ]
    assert report["counts"]["original"] == 12


def test_folds_that_share_a_subject(people, capsys, tmp_path):
    text = (people / "labels.csv").read_text()
    (people / "labels.csv").write_text(text.replace("11.png,b,p5,2", "11.png,b,p0,2"))
    code, report, _ = audit(capsys, "table", "--data", people)
    assert code == 1
    assert [(c["kind"], c["first"], c["second"]) for c in report["crossings"]] == [("subject", "fold 0", "fold 2")]
    assert main(["data", "audit", "table", "--data", str(people)]) == 1
    assert "LEAKS: 1 crossings" in capsys.readouterr().out

    flags = (
        f"finetune --dataset table --data {people} --fold 0 --backbone test_resnet --weights none --image-size 32"
        " --epochs 1 --workers 0"
    )
    assert main([*flags.split(), "--out", str(tmp_path / "run")]) == 1
    error = capsys.readouterr().err
    assert "the split leaks: 1 of 2 subjects of test are also in train (p0)" in error
    assert "--allow-leaks" in error
    assert not (tmp_path / "run").exists()
    study = [
        "crossval",
        *flags.replace("--fold 0 ", "").replace(" --workers 0", "").split()[1:],
        "--out",
        str(tmp_path / "study"),
    ]
    assert main(study) == 1  # before any cell starts
    assert "the split leaks" in capsys.readouterr().err
    assert not (tmp_path / "study").exists()
    assert main([*flags.split(), "--out", str(tmp_path / "run"), "--allow-leaks"]) == 0
    protocol = json.loads((tmp_path / "run" / "results.json").read_text())["protocol"]
    assert protocol["allow_leaks"] is True
    assert protocol["leaks"] == ["1 of 2 subjects of test are also in train (p0)"]


def test_a_pair_of_lists(tmp_path, capsys):
    (tmp_path / "train.txt").write_text(
        "".join(TRAIN.format(face, photo, 1) for face, photo in ((1, 10), (1, 11), (2, 12)))
    )
    (tmp_path / "val.txt").write_text(TRAIN.format(1, 13, 1) + TRAIN.format(2, 12, 3))
    code, report, _ = audit(capsys, "--lists", tmp_path / "train.txt", tmp_path / "val.txt")
    assert code == 1
    assert {c["kind"]: (c["count"], c["of"]) for c in report["crossings"]} == {
        "subject": (2, 2),
        "album": (1, 1),
        "original": (1, 2),
        "listed picture": (1, 2),
    }
    assert len(report["two_labels"]["listed picture"]) == 1


def test_lists_of_anything_with_their_images(people, tmp_path, capsys):
    shutil.copy(people / "0.png", people / "9.png")
    (tmp_path / "a.txt").write_text("0.png 0\n1.png 1\n")
    (tmp_path / "b.txt").write_text("9.png 0\n3.png 1\n")
    code, report, _ = audit(capsys, "--lists", tmp_path / "a.txt", tmp_path / "b.txt", "--data", people)
    assert code == 1
    assert [c["kind"] for c in report["crossings"]] == ["identical file"]


SLOW = pytest.mark.slow


# The same question of five lists; the first and the last one are asked always.
@pytest.mark.realdata
@pytest.mark.parametrize(
    ("fold", "albums", "faces", "people"),
    [
        (0, 112, 19, 482),
        pytest.param(1, 115, 16, 518, marks=SLOW),
        pytest.param(2, 120, 11, 516, marks=SLOW),
        pytest.param(3, 113, 12, 536, marks=SLOW),
        (4, 113, 22, 465),
    ],
)
def test_the_leak_in_the_published_validation_lists(shared_data, capsys, fold, albums, faces, people):
    lists = shared_data / "adience_protocol" / "Folds" / "train_val_txt_files_per_fold" / f"test_fold_is_{fold}"
    code, report, _ = audit(capsys, "--lists", lists / "age_train.txt", lists / "age_val.txt")
    found = {c["kind"]: c for c in report["crossings"]}
    assert code == 1
    assert (found["album"]["count"], found["album"]["of"]) == (albums, albums), "every album of validation is in train"
    assert found["subject"]["count"] == people
    assert found["listed picture"]["count"] == faces
    assert audit(capsys, "--lists", lists / "age_train.txt", lists / "age_test.txt")[0] == 0


@pytest.mark.realdata
def test_the_official_folds_are_clean(shared_data, capsys):
    code, report, _ = audit(
        capsys, "adience", "--data", shared_data / "adience_protocol", "--labels-only", "--label-policy", "nearest"
    )
    assert code == 0
    assert report["counts"]["original"] > 10_000


MISTAKES = [
    ([], "needs the name of a data set, or --lists"),
    (["tabel", "--data", "x"], "unknown data set 'tabel': did you mean 'table'"),
    (["table"], "needs --data PATH"),
    (["--lists", "/no/train.txt", "/no/val.txt"], "no list file /no/train.txt"),
    (["--lists", "/no/train.txt"], "two or more different list files"),
    (["table", "--data", "x", "--nera", "3"], "did you mean '--near'"),
]


@pytest.mark.parametrize(("words", "text"), MISTAKES, ids=[" ".join(words) for words, _ in MISTAKES])
def test_a_mistake_is_one_line(words, text, capsys):
    assert main(["data", "audit", *words]) == 1
    error = capsys.readouterr().err
    assert text in error
    assert error.count("\n") == 1


def sheet(people, path, *words):
    return main(["data", "audit", "table", "--data", str(people), "--sheet", str(path), *words])


def test_a_contact_sheet_of_what_was_found(people, capsys, tmp_path):
    with Image.open(people / "0.png") as picture:
        picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT).resize((60, 60)).save(people / "9.png")
    shutil.copy(people / "1.png", people / "10.png")
    assert sheet(people, tmp_path / "pairs.png") == 1
    out, err = capsys.readouterr()
    assert "0.png ~ 9.png (mirrored)" in " ".join(out.split())
    assert f"2 pairs of pictures in {tmp_path / 'pairs.png'}" in err
    with Image.open(tmp_path / "pairs.png") as drawn:
        assert drawn.format == "PNG"


def test_the_most_alike_stand_first_on_the_sheet(people, monkeypatch, tmp_path):
    for first, copy, quality in ((0, 5, 95), (1, 6, 20), (2, 7, 60)):
        with Image.open(people / f"{first}.png") as picture:
            picture.save(people / f"{copy}.png", "JPEG", quality=quality)
    drawn = []
    monkeypatch.setattr(contact_sheet, "contact_sheet", lambda root, pairs: drawn.extend(pairs) or b"")
    assert sheet(people, tmp_path / "pairs.png") == 1
    likenesses = [float(pair.caption.split()[0]) for pair in drawn]
    assert len(set(likenesses)) > 1
    assert likenesses == sorted(likenesses, reverse=True)


def test_nothing_found_is_no_sheet(people, capsys, tmp_path):
    assert sheet(people, tmp_path / "pairs.png") == 0
    assert "no pair of pictures was found" in capsys.readouterr().err
    assert not (tmp_path / "pairs.png").exists()
    assert sheet(people, tmp_path / "pairs.png", "--labels-only") == 1
    assert "--sheet needs the pictures" in capsys.readouterr().err


def test_missing_and_garbage_files_are_not_clean(people, capsys):
    for i in range(6):
        (people / f"{i}.png").unlink()
    (people / "7.png").write_bytes(b"garbage")
    assert main(["data", "audit", "table", "--data", str(people)]) == 1
    out = " ".join(capsys.readouterr().out.split())
    assert "INCOMPLETE, not clean: 0 crossings; 6 image files read, 6 missing (first: 0.png)" in out
    assert "1 can't be decoded (first: 7.png: unreadable image" in out
    for i in range(12):
        (people / f"{i}.png").write_bytes(f"garbage {i}".encode())
    code, report, _ = audit(capsys, "table", "--data", people)
    assert (code, report["ok"], report["complete"], len(report["unreadable"])) == (1, False, False, 12)


@pytest.mark.timeout(60)
def test_a_pipe_among_the_pictures(people, capsys):
    (people / "3.png").unlink()
    os.mkfifo(people / "3.png")
    code, report, _ = audit(capsys, "table", "--data", people)
    assert (code, report["missing"]) == (1, ["3.png"])


def test_copies_are_left_alone_where_asked(people, capsys):
    with Image.open(people / "0.png") as picture:
        picture.transpose(Image.Transpose.ROTATE_90).save(people / "9.png")
    assert audit(capsys, "table", "--data", people)[0] == 1
    assert audit(capsys, "table", "--data", people, "--near", "-1")[0] == 0


def test_the_validation_part_is_cut_as_in_training(tmp_path, capsys):
    """Every picture of the training part is there twice under two names; no copy comes to validation without the
    other.
    """
    lines = ["path,label,split"]
    for i in range(40):
        pixels = np.random.default_rng(i % 20 if i < 36 else i).integers(0, 256, (6, 6, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((48, 48), Image.Resampling.BICUBIC).save(tmp_path / f"{i}.png")
        lines.append(f"{i}.png,{'ab'[i % 2]},{'train' if i < 36 else 'test'}")
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    for seed in range(3):
        code, report, _ = audit(
            capsys, "table", "--data", tmp_path, "--val-fraction", 0.2, "--split", "test", "--seed", seed
        )
        assert (code, list(report["parts"])) == (0, ["train", "val", "test"])


@pytest.mark.parametrize("seed", [0, 3])
def test_the_seed_cuts_the_validation_part(seed):
    table = {"path": [f"{i}.jpg" for i in range(40)], "label": [i % 2 for i in range(40)]}
    split = ["train"] * 30 + ["test"] * 10
    records = make_records({**table, "split": split}, class_names=("a", "b"), root=Path("x"), protocol="made up")
    asked = SimpleNamespace(fold=None, split="test", val_fraction=0.2, seed=seed, labels_only=True)
    parts = data_audit._with_parts(records, asked)
    _, expected = cut_validation(records, np.arange(30), 0.2, seed)
    assert parts.index[parts["part"] == "val"].tolist() == expected.tolist()


def test_rows_that_are_left_out_are_told(people, capsys):
    for label in "ab":
        (people / "folders" / label).mkdir(parents=True)
        for i in range(6):
            shutil.copy(people / f"{2 * i + (label == 'b')}.png", people / "folders" / label / f"{i}.png")
    (people / "folders" / "a" / "notes.txt").touch()
    _, report, _ = audit(capsys, "image_folder", "--data", people / "folders")
    assert report["dropped"] == {"not an image file (.txt)": 1}
