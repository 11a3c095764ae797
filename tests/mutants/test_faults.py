"""Every fault of the list applies to the sources as they are; trying them is `make mutants`, which is slow."""

import collections
from pathlib import Path

import pytest
from faults import KINDS, ROOMS, faults_of

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("room", ROOMS)
def test_faults_apply(room):
    assert [problem for fault in faults_of(room) if (problem := fault.problem(ROOT))] == []


def test_no_fault_stands_twice_and_every_kind_is_there():
    everything = [fault for room in ROOMS for fault in faults_of(room)]
    times = collections.Counter((fault.path, fault.old, fault.new) for fault in everything)
    assert [place for place, count in times.items() if count > 1] == []
    assert {fault.kind for fault in everything} == set(KINDS)
    assert len(everything) >= 300
