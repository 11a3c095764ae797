"""Every fault of the list applies to the sources as they are; trying them is `make mutants`, which is slow."""

import ast
import collections
from pathlib import Path

import pytest
from faults import KINDS, ROOMS, faults_of

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("room", ROOMS)
def test_faults_apply(room):
    assert [problem for fault in faults_of(room) if (problem := fault.problem(ROOT))] == []


@pytest.mark.parametrize("room", ROOMS)
def test_every_fault_that_is_written_down_is_in_the_list(room):
    """A name that is given to a second source would take the first one's faults with it."""
    tree = ast.parse((Path(__file__).parent / f"faults_{room}.py").read_text(encoding="utf-8"))
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    written = [func for func in calls if isinstance(func, ast.Attribute) and func.attr == "fault"]
    assert len(faults_of(room)) == len(written)


def test_no_fault_stands_twice_and_every_kind_is_there():
    everything = [fault for room in ROOMS for fault in faults_of(room)]
    times = collections.Counter((fault.path, fault.old, fault.new) for fault in everything)
    assert [place for place, count in times.items() if count > 1] == []
    assert {fault.kind for fault in everything} == set(KINDS)
    assert len(everything) >= 300


def test_the_faults_that_were_once_not_noticed_are_in_the_list():
    """Put in by hand before this list was; `make mutants ARGS=--named` tries them."""
    named = sorted(fault.named for room in ROOMS for fault in faults_of(room) if fault.named)
    assert named == [
        "--clip-grad is ignored",
        "MAE is the macro MAE",
        "a flip that always happens",
        "accumulated losses are not divided",
        "averaged weights are not evaluated",
        "label smoothing is not applied",
        "predict ignores the decoder",
        "predict with the class names reversed",
        "predict with the top 5 reversed",
        "predict without normalisation",
        "test-time views are not averaged",
        "the oracle is a minimum",
        "the report ignores --decoder",
        "the report's temperature from the test part",
        "the worst epoch is selected",
        'weights "selected on validation" are the last ones',
    ]
