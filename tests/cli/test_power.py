"""`fgcrl power`: from a pilot, and from assumptions."""

import json
import math
from dataclasses import asdict

import pytest
from made_study import write_study

from finegrained_crl.cli.main import main
from finegrained_crl.reports import power_curves
from finegrained_crl.statistics.power import Design, assumed, power, seeds_needed, smallest_difference


def ask(capsys, *words):
    code = main(["power", *map(str, words)])
    return code, capsys.readouterr()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A study as the pilot."""
    return write_study(tmp_path_factory.mktemp("pilot") / "s", {"ce": 1.0, "crl": 1.2, "focal": 0.9})


def test_a_pilot_gives_the_table(folder, capsys):
    code, shown = ask(capsys, folder, "--json", "--difference", 3, "--seeds", 4)
    answer = json.loads(shown.out)
    assert code == 0
    assert answer["figure"] == "exact_accuracy"
    assert (answer["plans"][0]["folds"], answer["plans"][0]["seeds"], answer["plans"][0]["comparisons"]) == (3, 4, 2)
    assert 0 < answer["power_at_difference"] < 1
    code, shown = ask(capsys, folder)
    assert f"{100 * answer['plans'][0]['smallest']:.2f}" in shown.out or code == 0
    assert "crl against ce in" in shown.out


def test_other_comparisons_figures_and_sizes(folder, capsys):
    answers = [
        json.loads(ask(capsys, folder, "--json", *words)[1].out)
        for words in (
            [], ["--variant", "focal"], ["--baseline", "focal"], ["--figure", "nll"], ["--folds", 10],
            ["--comparisons", 9], ["--power", 0.5],
        )
    ]  # fmt: skip
    texts = [json.dumps({k: v for k, v in answer.items() if k != "power"}) for answer in answers]
    assert len(set(texts)) == len(texts)
    assert answers[4]["plans"][0]["folds"] == 10
    assert answers[6]["plans"][0]["smallest"] < answers[0]["plans"][0]["smallest"]


def test_assumptions_give_the_planners_numbers(tmp_path, capsys):
    words = ["folds=1", "seeds=5", "people=5794", "run=0.5", "taste=10", "disagree=20", "fold=3"]
    code, shown = ask(capsys, "--assume", *words, "--difference", 1, "--json", "--comparisons", 2)
    answer = json.loads(shown.out)
    sources = assumed(run=0.005, fold=0.03, taste=0.1, disagree=0.2, people=5794, folds=1)
    assert code == 0
    assert answer["plans"][0]["smallest"] == pytest.approx(smallest_difference(sources, Design(1, 5, 2)))
    assert answer["seeds_needed"] == seeds_needed(0.01, sources, Design(1, 5, 2))
    assert answer["plans"][1]["smallest"] is None  # one seed of one split


def test_words_for_people(tmp_path, capsys):
    code, shown = ask(capsys, "--assume", "--difference", 1, "--out", tmp_path / "p.png")
    assert code == 0
    assert "assumed: run 1, fold 1" in shown.out
    assert "no number of seeds brings that to 80 %: more folds or people would" in shown.out
    assert (tmp_path / "p.png").read_bytes()[:4] == b"\x89PNG"
    shown = ask(capsys, "--assume", "folds=1", "people=9999", "--difference", 5)[1]
    assert "seeds bring that to 80 %" in shown.out


def test_the_power_at_the_asked_difference_is_told(capsys):
    words = ["folds=1", "seeds=5", "people=9999"]
    shown = ask(capsys, "--assume", *words, "--difference", 2, "--power", 0.9)[1].out
    sources = assumed(run=0.01, fold=0.01, taste=0.2, disagree=0.3, people=9999, folds=1)
    share, seeds = power(0.02, sources, Design(1, 5)), seeds_needed(0.02, sources, Design(1, 5), wanted=0.9)
    assert 0.2 < share < 0.99
    assert f"a true difference of 2 points is found in {100 * share:.0f} % of such studies; {seeds} seeds" in shown
    deviations = {name: 100 * math.sqrt(value) for name, value in asdict(sources).items()}
    assert "deviation in points: " + ", ".join(f"{name} {value:.2f}" for name, value in deviations.items()) in shown
    answer = json.loads(ask(capsys, "--assume", *words, "--difference", 2, "--power", 0.9, "--json")[1].out)
    assert answer["seeds_needed"] == seeds != seeds_needed(0.02, sources, Design(1, 5))


def test_what_is_drawn_is_what_was_asked_for(tmp_path, capsys, monkeypatch):
    drawn = []
    monkeypatch.setattr(power_curves, "draw_power", lambda *asked: drawn.append(asked) or asked[-1])
    ask(capsys, "--assume", "--seeds", 4, "--power", 0.5, "--out", tmp_path / "p.svg")
    ((_, design, figure, wanted, target),) = drawn
    assert (design, figure.name, wanted, target) == (Design(5, 4), "top1_accuracy", 0.5, tmp_path / "p.svg")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "give a study as the pilot, or --assume"),
        (["studies/x", "--assume"], "and not both"),
        (["nowhere"], "holds no study"),
        (["--assume", "people=0"], "expected people=a whole number from 1"),
        (["--assume", "run=x"], "expected run=a number from 0"),
        (["--assume", "runn=1"], "did you mean 'run'"),
        (["--assume", "--power", "1"], "must be above 0.05 and below 1"),
        (["--assume", "--difference", "nan"], "must be above 0"),
        (["--assume", "--seeds", "0"], "must be from 1 to 10000"),
        (["--assume", "--out", "p.txt"], "give a .png, .svg or .pdf file"),
    ],
)
def test_mistakes_are_one_line(words, message, capsys):
    code, shown = ask(capsys, *words)
    assert code == 1
    assert message in shown.err
    assert len(shown.err.strip().splitlines()) == 1
