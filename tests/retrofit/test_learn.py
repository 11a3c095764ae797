"""What is learned from the untouched program decides the run, is kept in a file, and is refused for changed sources."""

import json
from pathlib import Path

import pytest

from finegrained_crl.retrofit.running.learned import Learned
from finegrained_crl.retrofit.running.look import Found
from finegrained_crl.retrofit.sites.decision import Facts
from finegrained_crl.retrofit.sites.place import Place
from finegrained_crl.retrofit.sites.settings import Settings

SHAPES = Path(__file__).parent / "programs" / "shapes"


def shape(workshop, name):
    (workshop.folder / f"{name}.py").write_text((SHAPES / f"{name}.py").read_text())
    return f"{name}.py"


def test_learning_tells_apart_what_a_property_decides(workshop, same_bits):
    program = shape(workshop, "guard_property")
    done = workshop.retrofit("--learn", "2", "--", "python", program, "out.pt")
    assert done.returncode == 0, done.stderr
    assert same_bits(workshop.weights("out.pt"), workshop.edited().here(program))
    lock = json.loads((workshop.folder / "retrofit.lock").read_text())
    assert [(site["verdict"], site["count"], site["flowed"]) for site in lock["sites"]] == [
        ("train", 4, 4),
        ("eval", 4, 0),
    ]

    again = workshop.retrofit("--lock", "retrofit.lock", "--", "python", program, "again.pt")
    assert again.returncode == 0, again.stderr
    assert same_bits(workshop.weights("out.pt"), workshop.weights("again.pt"))

    (workshop.folder / program).write_text("\n" + (workshop.folder / program).read_text())
    changed = workshop.retrofit("--lock", "retrofit.lock", "--", "python", program, "out.pt")
    assert (changed.returncode, changed.stderr.count("\n")) == (1, 1)
    assert "was learned from other sources (guard_property.py); use --learn N again" in changed.stderr


def test_an_ingredient_is_refused_before_the_run_begins(workshop, same_bits):
    program = shape(workshop, "focal_softmax")
    done = workshop.retrofit("--learn", "2", "--", "python", program, "out.pt")
    assert done.returncode == 3
    assert "another function of the target's probability" in done.stderr
    assert same_bits(workshop.weights("out.pt"), workshop.here(program))


@pytest.mark.parametrize("content", ["", "[]", '{"format": 9, "sources": {}, "sites": []}'])
def test_a_file_that_is_no_lock_is_refused_in_one_line(workshop, content):
    (workshop.folder / "bad.lock").write_text(content)
    done = workshop.retrofit("--lock", "bad.lock", "--", "python", "small.py")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "bad.lock" in done.stderr


@pytest.mark.parametrize(("phase", "counts"), [("eval", {"leave": 4, "replace": 4}), ("both", {"replace": 8})])
def test_the_phase_can_be_named_together_with_a_role(workshop, phase, counts):
    program = shape(workshop, "guard_enum")
    done = workshop.retrofit("--only", "class", "--phase", phase, "--", "python", program, "out.pt")
    assert done.returncode == 0, done.stderr
    calls: dict[str, int] = {}
    for site in workshop.receipt()["sites"]:
        calls[site["action"]] = calls.get(site["action"], 0) + site["count"]
    assert calls == counts


def test_lenient_goes_on_with_a_warning(workshop):
    program = shape(workshop, "perplexity")
    assert workshop.retrofit("--", "python", program, "out.pt").returncode == 3
    done = workshop.retrofit("--lenient", "--", "python", program, "out.pt")
    assert done.returncode == 0, done.stderr
    assert "NOT A LOSS THERE" in done.stderr
    (site,) = workshop.receipt()["sites"]
    assert (site["action"], site["count"]) == ("replace", 4)


@pytest.mark.parametrize(("verdicts", "verdict"), [(("train", "train"), "train"), (("train", "eval"), "")])
def test_callers_that_were_not_seen_are_judged_by_a_site_whose_others_agree(verdicts, verdict):
    seen = {"site": "a.py:3", "column": 4, "loss": "cross_entropy", "why": "seen", "problem": ""}
    entries = [{**seen, "callers": [f"a.py:{i}"], "verdict": each} for i, each in enumerate(verdicts, start=10)]
    learned = Learned(Settings(learned=tuple(entries)), None, None)
    site = Found(Facts(Place("a.py", 3), callers=[Place("b.py", 7)]), "", 4)
    assert learned.applied(site, "cross_entropy").facts.verdict == verdict
