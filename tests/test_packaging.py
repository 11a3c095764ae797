"""What is in the wheel and the sdist, to the file: nothing missing, nothing that squats a generic name."""

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = {"finegrained_crl": ".", "finegrained_crl_plugins": "plugins", "finegrained_crl_datasets": "datasets"}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


def sources(package):
    folder = ROOT / PACKAGES[package] / package
    return {
        f"{package}/{path.relative_to(folder)}"
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")
    }


def test_the_wheel_holds_the_three_packages_and_nothing_else(built):
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
        info = {name.rpartition(".dist-info/")[2] for name in wheel.namelist() if ".dist-info/" in name}
    assert names == set().union(*(sources(package) for package in PACKAGES))
    assert {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE"} == info
    assert "finegrained_crl/py.typed" in names
    assert "finegrained_crl_plugins/resnet/recipes/cub.yaml" in names
    assert "finegrained_crl/studies/crl-2019/table-3.yaml" in names


def test_the_sdist_can_build_and_test_itself(built):
    with tarfile.open(next(built.glob("*.tar.gz"))) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    needed = {
        "pyproject.toml",
        "README.md",
        "LICENSE",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "Makefile",
        "constraints.txt",
    }
    assert needed <= names
    assert {"tests/test_packaging.py", "finegrained_crl/__init__.py", "tools/finetune.py"} <= names
    assert not {name for name in names if name.startswith((".venv", "runs", "demo", "../"))}


def test_source_roots_are_not_packages():
    assert not (ROOT / "plugins" / "__init__.py").exists()
    assert not (ROOT / "datasets" / "__init__.py").exists()


@pytest.mark.parametrize("name", ["datasets", "plugins", "tools", "tests"])
def test_an_editable_install_squats_no_name_either(name, tmp_path):
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    code = f"import finegrained_crl; from importlib.util import find_spec; print(find_spec({name!r}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert str(ROOT / name) not in done.stdout
