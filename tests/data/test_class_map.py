"""Which class is which: by name, by file, and what is left over on both sides."""

import pytest

from finegrained_crl.data.class_map import make_class_map
from finegrained_crl.errors import FinegrainedError

DATA, RUN = ("wren", "owl", "crow", "barn owl"), ("crow", "owl", "teal")


def test_equal_names_are_one_class_and_the_rest_is_told():
    found = make_class_map(DATA, RUN)
    assert found.labels.tolist() == [-1, 1, 0, -1]
    assert found.unmatched_in_data == ["wren", "barn owl"]
    assert found.unmatched_in_run == ["teal"]
    assert found.how == "by name"


def test_a_file_may_join_classes_and_leave_some_out(tmp_path):
    file = tmp_path / "map.csv"
    file.write_text("data_class,run_class\nbarn owl,owl\nowl,owl\nwren,\ncrow,teal\n")
    found = make_class_map(DATA, RUN, file)
    assert found.labels.tolist() == [-1, 1, 2, 1]
    assert found.unmatched_in_data == ["wren"]
    assert found.unmatched_in_run == ["crow"]
    assert found.how == str(file)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("data_class,run_class\nowl,crow\nowl,owl\n", "'owl' has two rows; keep one"),
        (
            "data_class,run_class\nowl,owl\nrenn,owl\n",
            "row 3 of .*: the data set has no class 'renn'; did you mean 'wren'",
        ),
        ("data_class,run_class\nowl,tael\n", "row 2 of .*: the run has no class 'tael'; did you mean 'teal'"),
        ("from,to\nowl,owl\n", "has no column 'data_class': a class map has data_class and run_class"),
        ("data_class,run_class\nowl,\n", "no class in common .*the run's first is 'crow', the data set's 'wren'"),
    ],
)
def test_mistakes_are_named(text, error, tmp_path):
    (tmp_path / "map.csv").write_text(text)
    with pytest.raises(FinegrainedError, match=error):
        make_class_map(DATA, RUN, tmp_path / "map.csv")


def test_no_class_in_common_says_what_to_do():
    with pytest.raises(FinegrainedError, match=r"say with --class-map FILE\.csv"):
        make_class_map(("a",), ("b",))
