"""What was added is found: a loss, a method or a data set that lacks one of its places fails here, with the place
named."""

import ast
import importlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from finegrained_crl import discovery
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.losses.catalogue import LOSSES

ROOT = Path(__file__).parents[1]
LOSS_FOLDER = ROOT / "finegrained_crl" / "losses"
METHOD_FOLDER = ROOT / "plugins" / "finegrained_crl_plugins"
DATASET_FOLDER = ROOT / "datasets" / "finegrained_crl_datasets"
LOSS_BASES = {
    "ShowsSettings",
    "SoftmaxLoss",
    "FunctionOfCrossEntropy",
    "ClassLosses",
    "OrdinalLoss",
    "OrdinalRowLoss",
    "OrdinalTargetLoss",
}


def classes(path: Path) -> dict[str, ast.ClassDef]:
    """The classes that a module defines, by name."""
    return {node.name: node for node in ast.parse(path.read_text()).body if isinstance(node, ast.ClassDef)}


def base_names(node: ast.ClassDef) -> set[str]:
    return {ast.unparse(base).rpartition(".")[2] for base in node.bases}


def loss_names(folder: Path) -> set[str]:
    """module.Class of every loss: it comes from a base, directly or through another loss, and is none itself."""
    owners = {
        name: (path.stem, base_names(node))
        for path in sorted(folder.glob("*.py"))
        for name, node in classes(path).items()
    }
    losses: set[str] = set()
    for _ in owners:
        losses |= {name for name, (_, bases) in owners.items() if bases & (LOSS_BASES | losses)}
    return {f"{owners[name][0]}.{name}" for name in losses - LOSS_BASES}


def missing_for_losses(
    folder: Path, catalogue: dict[str, tuple[str, str]], page: str, readme: str, public: str
) -> list[str]:
    listed = {path for path, _ in catalogue.values()}
    unlisted = [
        f"{path}: no line in finegrained_crl/losses/catalogue.py" for path in sorted(loss_names(folder) - listed)
    ]
    private = [
        f"{path}: no line in finegrained_crl/losses/__init__.py"
        for path in sorted(listed)
        if f'"{path.partition(".")[2]}"' not in public
    ]
    without_row = [
        f"`{name}`: no row in docs/losses.md"
        for name in catalogue
        if not re.search(rf"^\|.*`{name}`", page, re.MULTILINE)
    ]
    return unlisted + private + without_row + without_readme_row(catalogue, readme)


def missing_for_methods(folder: Path, readme: str, tests: Path) -> list[str]:
    places = []
    homes = sorted({path.parent for path in folder.glob("*/*") if path.name in ("method.py", "recipes", "README.md")})
    for home in homes:
        needed = ["__init__.py", "method.py", "README.md", "recipes/*.yaml"]
        places += [f"{home.name}: no {name}" for name in needed if not list(home.glob(name))]
        if (home / "method.py").is_file() and not ends_with(home / "method.py", "method"):
            places.append(f"{home.name}/method.py: no last line 'method = ...'")
        if not list(tests.glob(f"{home.name}/test_*.py")):
            places.append(f"{home.name}: no tests/plugins/{home.name}/test_*.py")
    return places + without_readme_row([home.name for home in homes], readme)


def missing_for_datasets(folder: Path, readme: str, page: str, tests: Path) -> list[str]:
    sources = [
        p
        for p in sorted(folder.glob("*.py"))
        if any("known_counts" in ast.unparse(node) for node in classes(p).values())
    ]
    places = [f"{path.name}: no last line 'dataset = ...'" for path in sources if not ends_with(path, "dataset")]
    names = [path.stem for path in sources]
    places += [
        f"{name}: no section in docs/data.md" for name in names if not re.search(rf"^##.*`{name}`", page, re.MULTILINE)
    ]
    places += [
        f"{name}: no tests/datasets/test_{name}.py" for name in names if not (tests / f"test_{name}.py").is_file()
    ]
    return places + without_readme_row(names, readme)


def ends_with(path: Path, name: str) -> bool:
    last = ast.parse(path.read_text()).body[-1]
    return isinstance(last, ast.Assign) and [ast.unparse(target) for target in last.targets] == [name]


def without_readme_row(names, readme: str) -> list[str]:
    return [
        f"`{name}`: no row in README.md" for name in names if not re.search(rf"^\| \[?`{name}`", readme, re.MULTILINE)
    ]


README = (ROOT / "README.md").read_text()
LOSS_PAGE, DATA_PAGE = (ROOT / "docs" / name for name in ("losses.md", "data.md"))
PUBLIC = (LOSS_FOLDER / "__init__.py").read_text()


def test_losses():
    assert missing_for_losses(LOSS_FOLDER, LOSSES, LOSS_PAGE.read_text(), README, PUBLIC) == []


def test_methods():
    assert missing_for_methods(METHOD_FOLDER, README, ROOT / "tests" / "plugins") == []


def test_datasets():
    assert missing_for_datasets(DATASET_FOLDER, README, DATA_PAGE.read_text(), ROOT / "tests" / "datasets") == []


def test_a_loss_with_nothing_but_its_file_is_named(tmp_path):
    (tmp_path / "mine.py").write_text("class MineLoss(focal.FocalLoss):\n    pass\n")
    shutil.copy(LOSS_FOLDER / "focal.py", tmp_path)
    focal = {"focal": LOSSES["focal"]}
    expected = ["mine.MineLoss: no line in finegrained_crl/losses/catalogue.py"]
    assert missing_for_losses(tmp_path, focal, LOSS_PAGE.read_text(), README, PUBLIC) == expected
    listed = {**focal, "mine": ("mine.MineLoss", "mine")}
    assert missing_for_losses(tmp_path, listed, LOSS_PAGE.read_text(), README, PUBLIC) == [
        "mine.MineLoss: no line in finegrained_crl/losses/__init__.py",
        "`mine`: no row in docs/losses.md",
        "`mine`: no row in README.md",
    ]


def test_a_method_with_nothing_but_its_file_is_named(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "method.py").write_text("class Mine:\n    pass\n")
    assert missing_for_methods(tmp_path, README, ROOT / "tests" / "plugins") == [
        "mine: no __init__.py",
        "mine: no README.md",
        "mine: no recipes/*.yaml",
        "mine/method.py: no last line 'method = ...'",
        "mine: no tests/plugins/mine/test_*.py",
        "`mine`: no row in README.md",
    ]


def test_a_data_set_with_nothing_but_its_file_is_named(tmp_path):
    source = (DATASET_FOLDER / "cub200.py").read_text()
    (tmp_path / "mine.py").write_text(source.replace("\ndataset = ", "\nsource = "))
    assert missing_for_datasets(tmp_path, README, DATA_PAGE.read_text(), ROOT / "tests" / "datasets") == [
        "mine.py: no last line 'dataset = ...'",
        "mine: no section in docs/data.md",
        "mine: no tests/datasets/test_mine.py",
        "`mine`: no row in README.md",
    ]


@pytest.fixture
def plugin_folder(tmp_path, monkeypatch):
    """An empty package in the place of the shipped methods."""
    package = importlib.import_module("finegrained_crl_plugins")
    monkeypatch.setattr(package, "__path__", [str(tmp_path)])
    yield tmp_path
    for name in [n for n in sys.modules if n.startswith("finegrained_crl_plugins.mine")]:
        del sys.modules[name]


def test_discovery_names_the_file_that_a_method_lacks(plugin_folder):
    home = plugin_folder / "mine"
    home.mkdir()
    assert discovery.methods() == {}  # a folder without a method.py is no method
    (home / "method.py").write_text("class Mine:\n    pass\n")
    with pytest.raises(FinegrainedError) as caught:
        discovery.methods()
    assert (
        str(caught.value)
        == f"method 'mine': {home} has no __init__.py, so it can't be imported; add one, a docstring is enough"
    )
    (home / "__init__.py").write_text('"""Mine."""\n')
    with pytest.raises(FinegrainedError) as caught:
        discovery.methods()["mine"]()
    assert (
        str(caught.value) == f"method 'mine': {home / 'method.py'} defines no 'method'; end it with: method = TheClass"
    )
    (home / "method.py").unlink()
    with pytest.raises(FinegrainedError, match=r"method 'mine': .*mine has no method\.py"):
        discovery.methods()


def test_listing_the_losses_does_not_import_torch():
    code = (
        "import sys; from finegrained_crl.cli.main import main; main(['list', 'losses']); sys.exit('torch' in"
        " sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Competing Ratio Loss" in done.stdout
