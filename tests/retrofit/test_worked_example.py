"""The worked example of docs/retrofit.md is what happens."""

import re
from pathlib import Path

import pytest

from finegrained_crl.retrofit.patch import make_patch
from finegrained_crl.retrofit.scan import scan
from finegrained_crl.retrofit.sites.decision import Choice

PAGE = (Path(__file__).parents[2] / "docs" / "retrofit.md").read_text()


@pytest.fixture
def flowers(workshop):
    for name, code in re.findall(r"`flowers/(\w+\.py)`\n\n```python\n(.*?)```", PAGE, re.DOTALL):
        (workshop.folder / name).write_text(code)
    return workshop


def rows(first_cell, columns):
    cells = [
        [c.strip() for c in line.strip("|").split("|")]
        for line in PAGE.splitlines()
        if line.startswith(f"| {first_cell}")
    ]
    return [row for row in cells if len(row) == columns]


def test_scan_and_patch(flowers, tmp_path):
    repo = tmp_path / "flowers"
    repo.mkdir()
    for name in ("losses.py", "train.py"):
        (repo / name).write_bytes((flowers.folder / name).read_bytes())
    sites = [
        [f"{s.file}:{s.line}", s.kind, s.expression, s.role, s.action, s.reason] for s in scan(repo.resolve()).sites
    ]
    assert sites == rows("losses.py:3", 6) + rows("train.py:", 6)
    diff = re.search(r"```diff\n(.*?)```", PAGE, re.DOTALL).group(1)
    assert diff in make_patch(scan(repo.resolve(), Choice(only=("class",)))).diff.decode()


def test_run_with_verify(flowers):
    done = flowers.retrofit("--only", "class", "--verify", "3", "--", "python", "train.py")
    assert done.returncode == 0, done.stderr
    assert re.search(r"    (--verify: .*)", PAGE).group(1) in done.stderr
    shown = [
        [c.strip() for c in line.strip("│").split("│")] for line in done.stderr.splitlines() if line.startswith("│")
    ]
    assert [row[:6] for row in shown] == [row[:6] for row in [*rows("train.py:", 10), *rows("losses.py:3", 10)]]


def test_verify_stops_before_the_run_where_losses_differ(workshop):
    (workshop.folder / "dice.py").write_text(
        "import os, torch\ntorch.manual_seed(int.from_bytes(os.urandom(6), 'big'))\nw = torch.randn(3, 4,"
        " requires_grad=True)\ntorch.nn.functional.cross_entropy(w, torch.tensor([0, 1, 2])).backward()\n"
    )
    done = workshop.retrofit("--verify", "1", "--", "python", "dice.py")
    assert done.returncode == 1
    assert "--verify: at dice.py:4 call 1 differs between the untouched program and beta = 0" in done.stderr
    assert not (workshop.folder / "retrofit.json").exists()
