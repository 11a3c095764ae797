"""Which pictures an export is compared on, and calibrated on: of the right part, taken from all of it."""

from types import SimpleNamespace

import pandas as pd
import pytest

from finegrained_crl.export import pictures
from finegrained_crl.export.pictures import held_out_pictures, training_pictures

PARTS = ["train"] * 6 + ["val"] * 5 + ["test"] * 9


@pytest.fixture
def predictor(tmp_path, monkeypatch):
    """A run on twenty pictures that held out those of `val`; a sample is the paths that it would read."""
    table = pd.DataFrame({"path": [f"{i}.png" for i in range(20)], "label": 0, "split": PARTS})
    table["id"] = table["path"]
    held_out = table[table["split"] == "val"].assign(part="test", weights="last")
    both = pd.concat([held_out, held_out.assign(weights="selected"), held_out.assign(part="val", weights="last")])
    both.to_parquet(tmp_path / "predictions.parquet")
    for path in table["path"]:
        (tmp_path / path).touch()
    run = SimpleNamespace(
        predictions=tmp_path / "predictions.parquet",
        checked=lambda path: path,
        read_data=lambda: SimpleNamespace(require_pictures=lambda: table),
        read_results=lambda: {"data": {"root": str(tmp_path)}},
    )
    monkeypatch.setattr(pictures, "read_sample", lambda _, items: [int(item.picture.stem) for item in items])
    return SimpleNamespace(run=run, which="last")


def test_training_pictures_are_of_the_part_that_is_called_so(predictor):
    assert training_pictures(predictor, 100) == [0, 1, 2, 3, 4, 5]


def test_a_sample_reaches_from_the_first_to_the_last(predictor):
    assert training_pictures(predictor, 3) == [0, 2, 5]
    assert held_out_pictures(predictor, 100) == [6, 7, 8, 9, 10]
    assert held_out_pictures(predictor, 2) == [6, 10]
    assert held_out_pictures(predictor, 1) == [6]
