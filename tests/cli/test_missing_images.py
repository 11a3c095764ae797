"""Images that are listed and not there: counted, named, refused - or left out with `--missing skip`."""

import json

import numpy as np
import pytest
from PIL import Image

from finegrained_crl.cli.main import main

FLAGS = (
    "finetune --dataset table --backbone test_resnet --weights none --image-size 32 --epochs 1 --workers 0"
    " --batch-size 8"
)


@pytest.fixture
def gappy(tmp_path):
    """A hundred rows, three of them without their image."""
    lines = ["path,label,split"]
    for i in range(100):
        if i not in (5, 50, 95):
            pixels = np.random.default_rng(i).integers(0, 256, (32, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / f"{i}.png")
        lines.append(f"{i}.png,{'ab'[i % 2]},{'test' if i % 5 == 0 else 'train'}")
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    return tmp_path


def test_refused_with_their_number_and_names(gappy, tmp_path, capsys):
    assert main([*FLAGS.split(), "--data", str(gappy), "--out", str(tmp_path / "run")]) == 1
    error = capsys.readouterr().err
    assert "3 of 100 listed images (3.0 %) are missing" in error
    assert all(f"{i}.png" in error for i in (5, 50, 95))
    assert "--missing skip" in error
    assert error.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_left_out_and_counted_when_asked(gappy, tmp_path):
    assert main([*FLAGS.split(), "--data", str(gappy), "--out", str(tmp_path / "run"), "--missing", "skip"]) == 0
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert results["data"]["dropped"] == {"image file missing": 3}
    assert results["protocol"]["denominator"] == 17
    assert results["protocol"]["missing_images"] == "skip"


def test_nothing_left_is_an_error(gappy, tmp_path, capsys):
    for path in gappy.glob("*.png"):
        path.unlink()
    assert main([*FLAGS.split(), "--data", str(gappy), "--out", str(tmp_path / "run"), "--missing", "skip"]) == 1
    assert "100 of 100 listed images" in capsys.readouterr().err
