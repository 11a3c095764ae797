"""The points that curves are drawn through."""

import pytest

from finegrained_crl.reports import curves, drawing


class Axes:
    def __init__(self):
        self.lines = {}

    def plot(self, x, y, *, label, **style):
        self.lines[label] = (list(x), list(y), style)

    def set(self, **_):
        pass

    def legend(self, **_):
        pass


ROWS = [
    {"epoch": 1.0, "train_loss": 2.0, "val_top1": 0.5, "train_loss_a": 1.5, "train_accuracy": 0.1},
    {"epoch": 2.0, "train_loss": 1.0, "train_loss_a": 0.5, "train_accuracy": 0.2},
    {"epoch": 3.0, "train_loss": 0.5, "val_top1": 0.75, "test_top1": 0.7, "train_accuracy": 0.3},
]


def test_points_are_those_of_the_column_in_its_unit():
    axes = Axes()
    curves._draw(axes, {"one": ROWS, "two": ROWS[:1]}, "val_top1", 100.0)
    assert axes.lines["one"][:2] == ([1, 3], [50, 75])
    assert axes.lines["two"][:2] == ([1], [50])
    assert axes.lines["one"][2]["linestyle"] != axes.lines["two"][2]["linestyle"]


def test_each_role_has_a_line():
    axes = Axes()
    curves._draw_roles(axes, {"one": ROWS}, {"one": curves._roles(ROWS)})
    assert axes.lines["a"][:2] == ([1, 2], [1.5, 0.5])


@pytest.mark.parametrize(
    ("histories", "column"),
    [
        ({"one": ROWS, "two": ROWS}, "val_top1"),
        ({"one": ROWS, "two": ROWS[2:]}, "val_top1"),
        ({"one": ROWS, "two": ROWS[1:2]}, "train_accuracy"),
        ({"one": [{"test_top1": 1.0}], "two": ROWS}, "test_top1"),
    ],
)
def test_accuracy_is_of_a_part_that_all_runs_have(histories, column):
    assert curves._accuracy_column(histories)[0] == column


def test_the_panels_are_loss_and_accuracy(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(curves, "read_epochs", lambda folder: ROWS)
    monkeypatch.setattr(curves, "_draw", lambda axes, histories, column, scale: drawn.append((column, scale)))
    monkeypatch.setattr(drawing, "save", lambda figure, target, dpi: target)
    curves.draw_curves({"one": tmp_path}, tmp_path / "x.png")
    assert drawn == [("train_loss", 1.0), ("val_top1", 100.0)]
