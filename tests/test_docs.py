"""The README's tables and examples are what the code says."""

import json
import re
from pathlib import Path

import pytest
import torch

from finegrained_crl.cli import list as listing
from finegrained_crl_datasets.table import Table

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")])


@pytest.mark.parametrize(
    "lines", [listing.method_lines, listing.dataset_lines, listing.loss_lines], ids=["methods", "datasets", "losses"]
)
def test_every_name_has_a_row(lines):
    rows = set(re.findall(r"^\| \[?`([a-z0-9_-]+)`", README, re.MULTILINE))
    assert set(lines()) <= rows


TABLES = {"method": listing.method_lines, "data set": listing.dataset_lines, "loss": listing.loss_lines}


@pytest.mark.parametrize("kind", TABLES)
def test_a_table_of_the_readme_is_what_list_prints(kind):
    """Every row and no other, word for word; the order is the page's."""
    block = re.search(rf"^\| {kind} \| what it is \|\n\|---\|---\|\n((?:\|.*\n)+)", README, re.MULTILINE).group(1)
    rows = dict(re.findall(r"^\| \[?`([a-z0-9_-]+)`(?:\]\(\S+\))? \| (.*) \|$", block, re.MULTILINE))
    assert rows == TABLES[kind]()
    assert len(rows) == len(block.splitlines())


def test_the_lines_that_make_a_table_of_a_public_list_run(tmp_path, monkeypatch):
    """A list as the benchmark has it, made up: two pictures in each of its folders, one of them of unknown age."""
    monkeypatch.chdir(tmp_path)
    faces = [
        {
            "img_path": f"{i}.jpg",
            "age": -1 if i == 7 else 20 + i,
            "folder": i // 2,
            "gender": "F",
            "aligned_bbox": [0] * 8,
        }
        for i in range(20)
    ]
    (tmp_path / "UTKFace.json").write_text(json.dumps(faces))
    page = (ROOT / "docs" / "ages.md").read_text()
    exec(re.search(r"```python\n(.*?)```", page, re.DOTALL).group(1), {})
    reader = Table(path_column="img_path", label_column="age", target="age", age_range="0,60")
    table = reader.read(tmp_path / "utkface.csv").table
    assert table.groupby("split")["path"].count().to_dict() == {"train": 11, "val": 4, "test": 4}
    assert table["age"][table["split"] == "test"].tolist() == [36, 37, 38, 39]
    assert "7.jpg" not in set(table["path"])


def test_the_three_lines_run():
    code = re.search(r"```python\n(.*?)```", README, re.DOTALL).group(1)
    names = {"logits": torch.zeros(2, 8), "labels": torch.tensor([5, 5])}
    exec(code, names)
    assert names["loss"].item() == pytest.approx(2.94443897916644)  # log 19: a golden value of the reference


@pytest.mark.parametrize("page", PAGES, ids=[p.name for p in PAGES])
def test_links_and_pictures_lead_somewhere(page):
    targets = re.findall(r"\]\(([\w./-]+\.(?:md|png|svg|yaml))", page.read_text())
    assert all((page.parent / target).exists() for target in targets), targets
