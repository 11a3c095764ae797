"""docs/plugins.md's example: a distribution of its own, found by entry point, trained, continued, explained."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--no-cache-dir"]
    subprocess.run([*pip, "--target", str(folder), str(HERE / "finegrained_gem")], check=True, capture_output=True)
    return folder


def fgcrl(site, *words):
    path = os.pathsep.join(map(str, (site, ROOT, ROOT / "plugins", ROOT / "datasets")))
    command = [sys.executable, "-m", "finegrained_crl", *map(str, words)]
    return subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False)


def test_it_is_listed_trained_and_explained(site, tiny_flags, tiny_folder, tmp_path):
    assert "GeM pooling" in fgcrl(site, "list", "methods").stdout
    words = ["finetune", *tiny_flags, "--method", "gem", "--method.power", "2", "--out", tmp_path / "run"]
    done = fgcrl(site, *words)
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert results["method"] == {"name": "gem", "power": 2.0}
    picture = next((tiny_folder / "test").rglob("*.png"))
    assert fgcrl(site, "explain", tmp_path / "run", picture, "--out", tmp_path / "out").returncode == 0
    assert (tmp_path / "out" / f"{picture.stem}.png").is_file()


def test_the_documentation_shows_the_code_that_runs():
    shown = (ROOT / "docs" / "plugins.md").read_text()
    code = (HERE / "finegrained_gem" / "finegrained_gem" / "__init__.py").read_text()
    for line in (
        "self.power = power",
        "return GeMModel(spec, self.power)",
        'return classification_scores(criteria["class"], model(images))',
    ):
        assert line in shown
        assert line in code
    assert 'gem = "finegrained_gem:GeM"' in shown
    assert 'gem = "finegrained_gem:GeM"' in (HERE / "finegrained_gem" / "pyproject.toml").read_text()
