"""The notebooks run from top to bottom, say what they hold, and hold nothing that they should not."""

from pathlib import Path

import notebooks
import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
SMALL = [("images_per_class=40", "images_per_class=8"), ("--epochs 12", "--epochs 1")]


def kinds(outputs):
    return [output["output_type"] for output in outputs]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_notebook_runs_and_its_stored_outputs_are_of_these_cells(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    notebook = notebooks.read(path)
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    stored = [cell["outputs"] for cell in cells]
    for cell in cells:
        source = "".join(cell["source"])
        for words, small in SMALL:
            source = source.replace(words, small)
        cell["source"] = [source]
    outputs = notebooks.run(notebook)
    assert list(map(kinds, outputs)) == list(map(kinds, stored))
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_notebook_holds_text_only(path):
    notebook = notebooks.read(path)
    assert notebook["nbformat"] == 4
    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", [])]
    assert outputs
    assert {kind for output in outputs for kind in output.get("data", {})} <= {"text/plain"}


def test_a_broken_cell_is_noticed(tmp_path):
    cell = {"cell_type": "code", "source": ["x = 1\n", "x / 0"]}
    with pytest.raises(ZeroDivisionError):
        notebooks.run({"cells": [cell]})
