"""A study read as a pilot: which comparison, and how much it varies."""

import pytest
from made_study import write_study

from finegrained_crl.crossval.collect import collect
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.metrics.catalogue import find_figure
from finegrained_crl.reports.parts import grouped, read_parts, runs_of
from finegrained_crl.reports.pilot import read_pilot
from finegrained_crl.statistics.power import sources_of


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return collect(write_study(tmp_path_factory.mktemp("pilot") / "s", {"ce": 1.0, "crl": 1.5, "focal": 1.1}))


def test_sources_are_those_of_the_pairs(study):
    groups = {group[0].cell.variant: group for group in grouped(list(read_parts(study, None)))}
    for variant, name in (("crl", "exact_accuracy"), ("focal", "nll")):
        pilot = read_pilot(study, variant=variant, figure=name)
        figure = find_figure(name)
        assert pilot.sources == sources_of(runs_of(groups[variant], figure, groups["ce"]), figure.statistic)
        assert (pilot.variant, pilot.baseline, pilot.figure.name) == (variant, "ce", name)
    assert pilot.design == (3, 2, 2)
    assert pilot.seeds_differ


def test_defaults_are_the_reports(study):
    pilot = read_pilot(study)
    assert (pilot.variant, pilot.baseline, pilot.figure.name) == ("crl", "ce", "exact_accuracy")
    assert read_pilot(study, baseline="focal").baseline == "focal"


def test_nested_studies_are_read_by_their_choices(tmp_path):
    strengths = {"ce lr=0.1": 1.0, "ce lr=0.2": 2.0, "crl lr=0.1": 1.5, "crl lr=0.2": 2.5}
    pilot = read_pilot(collect(write_study(tmp_path / "s", strengths, select=["lr"])))
    assert (pilot.variant, pilot.baseline, pilot.design) == ("crl", "ce", (3, 2, 1))


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"variant": "crll"}, "no comparison of 'crll' in this study: did you mean 'crl'"),
        ({"figure": "exact"}, "--figure exact"),
        ({"baseline": "x"}, "no variant 'x'"),
    ],
)
def test_names_that_are_not_there(asked, message, study):
    with pytest.raises(FinegrainedError, match=message):
        read_pilot(study, **asked)


def test_nothing_to_compare(tmp_path):
    with pytest.raises(FinegrainedError, match="nothing is compared in this study"):
        read_pilot(collect(write_study(tmp_path / "one", {"ce": 1.0})))
    skip = [f"crl_f{fold}_s{seed}" for fold in range(3) for seed in range(2)]
    with pytest.raises(FinegrainedError, match="no finished pair of runs of crl and ce"):
        read_pilot(collect(write_study(tmp_path / "half", {"ce": 1.0, "crl": 2.0}, skip=skip)))
