"""`fgcrl data verify`: odd data sets end in one line, or in a report that says what is odd."""

import json
import os

import numpy as np
import pytest
from PIL import Image

from finegrained_crl.cli.data_verify_view import show
from finegrained_crl.cli.main import main
from finegrained_crl.data.verify import CountCheck, VerifyReport


@pytest.fixture
def birds(tmp_path):
    """A table of eight pictures in two classes whose names look like one."""
    lines = ["path,label,split"]
    for i in range(8):
        pixels = np.random.default_rng(i).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{i}.png")
        lines.append(f"{i}.png,{('Lantern_Shrike ', 'LANTERN_SHRIKE')[i % 2]},{'train' if i < 4 else 'test'}")
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    return tmp_path


def test_what_was_noticed_is_printed(birds, capsys):
    assert main(["data", "verify", "table", "--data", str(birds)]) == 0
    out = capsys.readouterr().out
    assert "advice: classes 'LANTERN_SHRIKE' and 'Lantern_Shrike ' look like one class" in out
    assert main(["data", "verify", "table", "--data", str(birds), "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["warnings"]) == 1


@pytest.mark.timeout(60)
def test_a_pipe_among_the_pictures_is_told(birds, capsys):
    (birds / "2.png").unlink()
    os.mkfifo(birds / "2.png")
    assert main(["data", "verify", "table", "--data", str(birds)]) == 1
    out = capsys.readouterr().out
    assert "irregular: 2.png" in out
    assert "put the files themselves there, or remove their rows" in " ".join(out.split())


BAD_TABLES = [
    (b"", "it is empty; give a header line"),
    ("path,label\n\u00e9.jpg,a\n".encode("latin-1"), "save it as UTF-8"),
    (b"path,label\na.jpg,x\nb.jpg,y,z\n", "line 3 has 3 cells and the header 2"),
    (b"path,label\na.jpg,\0\n", "line 2: a zero byte"),
]


@pytest.mark.parametrize(("content", "text"), BAD_TABLES, ids=[text for _, text in BAD_TABLES])
def test_a_table_that_cannot_be_read_is_one_line(birds, capsys, content, text):
    (birds / "labels.csv").write_bytes(content)
    assert main(["data", "verify", "table", "--data", str(birds)]) == 1
    error = capsys.readouterr().err
    assert text in error
    assert error.count("\n") == 1


@pytest.mark.timeout(60)
@pytest.mark.parametrize("verb", ["verify", "audit"])
def test_a_table_that_is_a_pipe(birds, capsys, verb):
    (birds / "labels.csv").unlink()
    os.mkfifo(birds / "labels.csv")
    assert main(["data", verb, "table", "--data", str(birds / "labels.csv")]) == 1
    assert "not a regular file but a named pipe" in capsys.readouterr().err


def test_a_data_set_is_named_as_finetune_names_it(birds, capsys):
    for words in (["--dataset", "table"], ["--dataset=table"]):
        assert main(["data", "verify", "--data", str(birds), *words, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["images"] == 8
    assert main(["data", "verify", "--data", str(birds), "--dataset"]) == 1
    assert "needs a name" in capsys.readouterr().err


def test_an_audit_says_what_was_left_out_before_it(tmp_path, capsys):
    for number, place in enumerate(("train/wren", "train/robin", "test/wren", "test/robin")):
        (tmp_path / place).mkdir(parents=True)
        Image.new("RGB", (20, 20), (9, 9, 50 * number)).save(tmp_path / place / "0.png")
    os.mkfifo(tmp_path / "train" / "wren" / "1.png")
    main(["data", "audit", "image_folder", "--data", str(tmp_path)])
    assert "advice: 1 row left out: not a regular file" in capsys.readouterr().out


@pytest.mark.parametrize(("is_fine", "verdict"), [(True, "fine"), (False, "NOT fine")])
def test_the_verdict_stands_last_and_conflicts_before_it(is_fine, verdict, capsys):
    report = VerifyReport("six", "folder", "its own split", "", "abc", 6, 2).as_dict()
    conflicts = {"one picture with two labels": [["a.png", "b.png"]]}
    show({**report, "ok": is_fine, "conflicts": conflicts, "files": {"missing": ["c.png"]}})
    *others, last = capsys.readouterr().out.splitlines()
    assert last == f"{verdict} (labels and images)"
    assert {"one picture with two labels: a.png=b.png", "missing: c.png"} <= set(others)


def test_known_and_found_counts_stand_in_their_columns(capsys):
    counts = [CountCheck("images", expected=7, found=6), CountCheck("classes", expected=2, found=2)]
    show(VerifyReport("six", "folder", "its own split", "", "abc", 6, 2, counts=counts).as_dict())
    cells = [[cell.strip() for cell in line.strip("│").split("│")] for line in capsys.readouterr().out.splitlines()]
    assert ["images", "7", "6", "NO"] in cells
    assert ["classes", "2", "2", "yes"] in cells
