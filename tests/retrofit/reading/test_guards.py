"""Which test decides whether a loss's backward pass runs, as far as the source shows."""

import ast
from pathlib import Path

import pytest

from finegrained_crl.retrofit.reading.phase import context_of
from finegrained_crl.retrofit.reading.source import parse_source


def guard(body, arguments=""):
    """The guard of the loss `crit(..)` in a function of these lines; None where its backward pass always runs."""
    lines = "\n".join(f"    {line}" for line in body)
    source = parse_source(Path("run.py"), f"def go({arguments}):\n{lines}\n".encode())
    (loss,) = (n for n in ast.walk(source.tree) if isinstance(n, ast.Call) and ast.unparse(n.func) == "crit")
    context = context_of(source, loss, is_loss=True)
    assert context.verdict == "train"
    return context.guard and ast.unparse(context.guard)


LOSS, BACK = "loss = crit(net(x), y)", "loss.backward()"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ([LOSS, BACK], None),
        ([LOSS, "if phase == 'train':", "    " + BACK], "phase == 'train'"),
        ([LOSS, "if phase == 'val':", "    pass", "else:", "    " + BACK], "not phase == 'val'"),
        ([LOSS, "if not training:", "    return loss", BACK], "training"),
        (
            [LOSS, "if training and ok:", "    if x.requires_grad:", "        " + BACK],
            "(training and ok) and x.requires_grad",
        ),
        ([LOSS, "train and loss.backward()"], "train"),
        ([LOSS, "loss.backward() if training else None"], "training"),
        ([LOSS, "None if evaluating else loss.backward()"], "not evaluating"),
        ([LOSS, "if torch.is_grad_enabled():", "    " + BACK], "torch.is_grad_enabled()"),
    ],
)
def test_the_test_around_or_before_the_backward_pass_is_the_guard(body, expected):
    assert guard(body) == expected


@pytest.mark.parametrize(
    "body",
    [
        [LOSS, "if use_amp:", "    scaler.scale(loss).backward()", "else:", "    " + BACK],
        [LOSS, "if training:", "    scaler.scale(loss).backward()", "else:", "    " + BACK],
        [LOSS, "if step % 2:", "    print(loss)", BACK],
        [LOSS, BACK, "if not training:", "    return loss"],
        ["if training:", "    " + LOSS, "    " + BACK],
        [LOSS, "if not training:", "    total += loss", BACK],
    ],
)
def test_a_test_that_decides_something_else_is_none(body):
    assert guard(body) is None


@pytest.mark.parametrize(("arguments", "expected"), [("update", "update"), ("", None), ("*, update=True", "update")])
def test_an_argument_that_is_never_written_to_guards_whatever_its_name(arguments, expected):
    assert guard([LOSS, "if update:", "    " + BACK], arguments) == expected
    assert guard(["update = update or random()", LOSS, "if update:", "    " + BACK], arguments) is None
