"""Every test states a consequence: one that only runs something stays green whatever becomes of it."""

import ast
import textwrap
from dataclasses import dataclass
from pathlib import Path

import pytest
from longest_first import LONGEST

TESTS = Path(__file__).parent
PROGRAMS = TESTS / "retrofit" / "programs"  # other people's code
STATEMENTS = {"raises", "warns", "fail"}  # of pytest
MACHINERY = {"run_state_machine_as_test"}  # of hypothesis


@dataclass
class Function:
    """A function of a file.

    Attributes:
        states: whether its own text holds a statement about what came out.
        calls: the names of what it calls, of its own file and the helpers.
    """

    name: str
    states: bool
    calls: set[str]


def functions_of(tree, helpers):
    strangers = foreign(tree, helpers)
    nodes = [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    return [function_of(node, strangers) for node in nodes]


def foreign(tree, helpers):
    """The names that a file imports from elsewhere than from the helpers: what they do states nothing."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import) or (isinstance(node, ast.ImportFrom) and node.module not in helpers):
            names |= {alias.asname or alias.name.partition(".")[0] for alias in node.names}
    return names - set(helpers)


def function_of(node, strangers):
    states, calls = False, set()
    for part in ast.walk(node):
        states = states or isinstance(part, ast.Assert)
        if isinstance(part, ast.Call):
            first, last = ends(part.func)
            states = states or last in STATEMENTS | MACHINERY or last.startswith("assert_")
            calls |= {last} if first not in strangers else set()
    return Function(node.name, states, calls)


def ends(callee):
    """First and last name of `a.b.c`; the first is "" where it is no name."""
    last = getattr(callee, "attr", getattr(callee, "id", ""))
    while isinstance(callee, ast.Attribute):
        callee = callee.value
    return getattr(callee, "id", ""), last


def stating(functions, known=frozenset()):
    """The names of the functions that state something, themselves or by what they call."""
    names = known | {function.name for function in functions if function.states}
    while more := {function.name for function in functions if function.calls & names} - names:
        names |= more
    return names


def stating_helpers(helpers):
    return stating([function for tree in helpers.values() for function in functions_of(tree, helpers)])


def silent(tree, helpers, known):
    """Names of the tests of a file that state nothing."""
    functions = functions_of(tree, helpers)
    names = stating(functions, known)
    tests = [function for function in functions if function.name.startswith("test")]
    return [test.name for test in tests if not test.states and not test.calls & names]


def parsed(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def test_every_test_states_something():
    places = [*(TESTS / "support").glob("*.py"), *TESTS.rglob("conftest.py")]
    helpers = {path.stem if path.parent.name == "support" else str(path): parsed(path) for path in places}
    known = stating_helpers(helpers)
    files = [path for path in sorted(TESTS.rglob("test_*.py")) if not path.is_relative_to(PROGRAMS)]
    assert len(files) > 200
    assert [
        f"{path.relative_to(TESTS)}: {name}" for path in files for name in silent(parsed(path), helpers, known)
    ] == []


@pytest.mark.parametrize(
    ("body", "is_silent"),
    [
        ("run()", True),
        ("value = run() == 3", True),
        ("subprocess.look([1], check=True)", True),  # of the same name as a helper's
        ("assert run() == 3", False),
        ("with pytest.raises(ValueError):\n    run()", False),
        ("np.testing.assert_allclose(run(), 3)", False),
        ("check(run())", False),
        ("checked_twice(run())", False),
        ("look.look(run())", False),
        ("Look().look(run())", False),
    ],
)
def test_a_test_that_states_nothing_is_named(body, is_silent):
    own = "import subprocess, look\ndef checked_twice(value):\n    check(value)\ndef check(value):\n    assert value\n"
    tests = ast.parse(f"{own}def test_it():\n{textwrap.indent(body, '    ')}\n")
    helpers = {"look": ast.parse("class Look:\n    def look(self, value):\n        assert value\n")}
    assert silent(tests, helpers, stating_helpers(helpers)) == (["test_it"] if is_silent else [])


@pytest.mark.parametrize("name", LONGEST)
def test_a_file_that_is_handed_out_first_is_there(name):
    assert (TESTS / name).is_file()
