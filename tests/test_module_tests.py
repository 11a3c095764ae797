"""Every module has tests where its name says, or where tests/support/tested_elsewhere.py says."""

from pathlib import Path

import pytest
from tested_elsewhere import TESTED_ELSEWHERE, UNTESTED

ROOT = Path(__file__).parents[1]
PLACES = {
    "finegrained_crl": "tests",
    "plugins/finegrained_crl_plugins": "tests/plugins",
    "datasets/finegrained_crl_datasets": "tests/datasets",
}


def untested(root):
    """Modules without tests, and entries of the table that are none: what, and what to do."""
    for source, tests in PLACES.items():
        elsewhere = TESTED_ELSEWHERE[source]
        modules = [path.relative_to(root / source) for path in sorted((root / source).rglob("*.py"))]
        names = [path.as_posix() for path in modules if not path.name.startswith("__")]
        for name in names:
            beside = Path(tests) / Path(name).with_name(f"test_{Path(name).name}")
            yield from _problems(root, f"{source}/{name}", beside, elsewhere.get(name))
        for name in elsewhere.keys() - set(names):
            yield f"{source}/{name} is in tests/support/tested_elsewhere.py and does not exist"


def _problems(root, module, beside, elsewhere):
    if elsewhere is None:
        if not (root / beside).is_file():
            yield f"{module} has no tests: write {beside}"
        return
    path, words = root / "tests" / elsewhere[0], elsewhere[1]
    if (root / beside).is_file():
        yield f"{module} has {beside}: take it out of tests/support/tested_elsewhere.py"
    elif not path.is_file() or words not in path.read_text(encoding="utf-8"):
        yield f"{module}: tests/{elsewhere[0]} does not hold {words!r}"


def test_every_module_has_tests():
    assert {problem.split()[0] for problem in untested(ROOT)} <= UNTESTED


@pytest.fixture
def miniature(tmp_path, monkeypatch):
    """A repository with a module, its tests, and nothing else."""
    for source in PLACES:
        (tmp_path / source).mkdir(parents=True)
    (tmp_path / "tests").mkdir()
    (tmp_path / "finegrained_crl" / "files.py").touch()
    (tmp_path / "tests" / "test_files.py").write_text("import files")
    for source in PLACES:
        monkeypatch.setitem(TESTED_ELSEWHERE, source, {})
    return tmp_path


def test_a_module_without_tests_is_named(miniature):
    assert list(untested(miniature)) == []
    (miniature / "plugins/finegrained_crl_plugins" / "mine").mkdir()
    (miniature / "plugins/finegrained_crl_plugins" / "mine" / "method.py").touch()
    assert list(untested(miniature)) == [
        "plugins/finegrained_crl_plugins/mine/method.py has no tests: write tests/plugins/mine/test_method.py"
    ]


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ({"gone.py": ("test_files.py", "files")}, "finegrained_crl/gone.py is in tests/support/tested_elsewhere.py"),
        ({"files.py": ("test_files.py", "files")}, "finegrained_crl/files.py has tests/test_files.py: take it out"),
        ({"other.py": ("test_other.py", "other")}, "tests/test_other.py does not hold 'other'"),
        ({"other.py": ("test_files.py", "other")}, "tests/test_files.py does not hold 'other'"),
    ],
)
def test_an_entry_that_is_none_is_named(table, problem, miniature, monkeypatch):
    if "other.py" in table:
        (miniature / "finegrained_crl" / "other.py").touch()
    monkeypatch.setitem(TESTED_ELSEWHERE, "finegrained_crl", table)
    (found,) = untested(miniature)
    assert problem in found
