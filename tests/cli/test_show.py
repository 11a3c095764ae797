"""Facts as tables: every figure in its column, every text as it is."""

import numpy as np
import pytest

from finegrained_crl.cli.show import facts_table, print_table, results_table
from finegrained_crl.metrics.catalogue import all_figures, find_figure, make_scores

LABELS = np.array([0, 1, 2, 3, 4, 5, 6])


def figures(seed, ordered):
    return all_figures(make_scores(np.random.default_rng(seed).normal(size=(7, 7)), LABELS, "median"), ordered=ordered)


def rows(capsys):
    """Heading and rows of the printed table."""
    lines = capsys.readouterr().out.splitlines()
    table = [[cell.strip() for cell in line.strip("│┃┡┩└┘").split("│" if "│" in line else "┃")] for line in lines]
    return lines[0].strip(), [cells for cells in table if len(cells) > 1]


@pytest.mark.parametrize("ordered", [True, False])
def test_each_figure_stands_in_its_column(ordered, capsys):
    last, val, best = (figures(seed, ordered) for seed in (1, 2, 3))
    best.pop("ece")
    last["brier"] = None
    results_table(
        {
            "metrics": {"last": {"test": last, "val": val}, "selected_on_validation": {"test": best}},
            "protocol": {"text": "made up"},
        }
    )
    title, (head, images, *body) = rows(capsys)
    assert title == "made up"
    assert head == ["figure", "test, last weights", "val, last weights", "test, weights selected on validation"]
    assert images == ["images", "7", "7", "7"]
    names = [name for name in val if name != "num_images"]
    for cells, name in zip(body, names, strict=True):
        figure = find_figure(name)
        values = [part.get(name) for part in (last, val, best)]
        assert cells == [figure.title, *("-" if value is None else figure.show(value) for value in values)]


def test_without_selected_weights_there_is_no_column_for_them(capsys):
    results_table(
        {"metrics": {"last": {"test": figures(1, False)}, "selected_on_validation": None}, "protocol": {"text": "x"}}
    )
    assert rows(capsys)[1][0] == ["figure", "test, last weights"]


def test_facts_are_spelt_out(capsys):
    facts = {"a_number": 0.123456, "nested": {"x": 1, "y": {"z": 2.5}}, "list": ["one", "two"], "n": 12345678}
    facts_table("facts", facts)
    assert list(rows(capsys)[1][1:]) == [
        ["a number", "0.1235"],
        ["nested", "x 1, y z 2.5"],
        ["list", "one"],
        ["", "two"],
        ["n", "12345678"],
    ]


def test_a_wide_table_in_a_pipe_is_not_cut(capsys):
    long = "x" * 150
    print_table("t", ("a", "b"), [(long, "[bold]y[/bold]")])
    out = capsys.readouterr().out
    assert long in out
    assert "[bold]y[/bold]" in out
