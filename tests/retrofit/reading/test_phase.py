"""Training or evaluation by a mode switch above the place: of the model that computes the scores, and of no other."""

import ast
from pathlib import Path

import pytest

from finegrained_crl.retrofit.reading.phase import context_of
from finegrained_crl.retrofit.reading.source import parse_source


def verdict(*body):
    """Of the call `place(..)` in a function of these lines."""
    lines = "\n".join(f"    {line}" for line in body)
    source = parse_source(Path("run.py"), f"def go():\n{lines}\n".encode())
    (place,) = (n for n in ast.walk(source.tree) if isinstance(n, ast.Call) and ast.unparse(n.func) == "place")
    return context_of(source, place).verdict


@pytest.mark.parametrize(
    ("switch", "expected"),
    [
        ("net.eval()", "eval"),
        ("net.train()", "train"),
        ("net.train(False)", "eval"),
        ("self.net.eval()", "eval"),
        ("teacher.eval()", ""),
        ("self.ema_model.eval()", ""),
        ("net.bn.eval()", ""),
        ("self.net.bn.eval()", ""),
        ("net.train(mode)", ""),
    ],
)
def test_something_on_the_way_to_a_loss_follows_the_last_switch_of_a_whole_model(switch, expected):
    assert verdict(switch, "place()") == expected
    assert verdict("place()", switch) == ""


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["teacher.eval()", "z = net(x)", "place(z, y)"], ""),
        (["teacher.eval()", "z = teacher(x)", "place(z, y)"], "eval"),
        (["net.eval()", "f = net.features(x)", "z = head(f)", "place(z, y)"], "eval"),
        (["net.bn.eval()", "z = net(x)", "place(z, y)"], ""),
    ],
)
def test_a_loss_follows_the_model_that_its_scores_come_from(lines, expected):
    assert verdict(*lines) == expected
