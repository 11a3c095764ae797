"""docs/plugins.md's example: a distribution of its own, found by entry point, trained, continued, explained."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from finegrained_crl.cli.main import main

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--no-cache-dir"]
    subprocess.run([*pip, "--target", str(folder), str(HERE / "finegrained_gem")], check=True, capture_output=True)
    return folder


@pytest.fixture
def installed(site, monkeypatch):
    """As if it were installed where Python looks."""
    monkeypatch.syspath_prepend(site)
    yield
    sys.modules.pop("finegrained_gem", None)


def test_it_is_listed_trained_and_explained(installed, tiny_flags, tiny_folder, tmp_path, capsys):
    assert main(["list", "methods"]) == 0
    assert "GeM pooling" in capsys.readouterr().out
    run, out = tmp_path / "run", tmp_path / "out"
    assert main(["finetune", *tiny_flags, "--method", "gem", "--method.power", "2", "--out", str(run)]) == 0
    results = json.loads((run / "results.json").read_text())
    assert results["method"] == {"name": "gem", "power": 2.0}
    picture = next((tiny_folder / "test").rglob("*.png"))
    assert main(["explain", str(run), str(picture), "--out", str(out)]) == 0
    assert (out / f"{picture.stem}.png").is_file()


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
