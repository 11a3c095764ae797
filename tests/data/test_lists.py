"""List files: odd ones end in one line, and quickly."""

import os
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finegrained_crl.data.lists import read_lists, split_line
from finegrained_crl.errors import FinegrainedError

OLD = re.compile(r"(?P<path>.+?)(?:[\s,;]+(?P<label>-?\d+|[^\s,;/\\.]+))?\s*$")
"""The pattern that said what a line means, quadratic in its length."""


@given(st.text("ab1-./\\ ,;\t", min_size=1, max_size=14))
def test_a_line_means_what_it_did(line):
    text = line.strip(" ,;\t")
    if text:
        old = OLD.match(text)
        assert split_line(line) == (old["path"], old["label"])


def lists(folder, first, second=b"z.jpg 1\n"):
    (folder / "one.txt").write_bytes(first)
    (folder / "two.txt").write_bytes(second)
    return read_lists([folder / "one.txt", folder / "two.txt"], {})[0]


@pytest.mark.timeout(20)
def test_a_line_of_spaces(tmp_path):
    table = lists(tmp_path, b"a.jpg" + b" " * 80_000 + b"3\n" + b" " * 80_000 + b"\nb.jpg" + b" ," * 40_000 + b"\n")
    assert table["path"].tolist() == ["a.jpg", "b.jpg", "z.jpg"]
    assert table["label"].tolist()[0] == "3"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"one\.txt: no line in it; expected one 'PATH LABEL' a line"),
        (b" \n,\n", r"one\.txt: no line in it"),
        ("é.jpg 1\n".encode("latin-1"), r"one\.txt: not a UTF-8 text file \(byte 0, line 1\); save it as UTF-8"),
        ("a.jpg 1\n".encode("utf-16-le"), r"one\.txt, line 1: a zero byte, so this is no text; save it as UTF-8"),
        (
            b"a.jpg 1\n" + b"x" * 1_000_000,
            r"one\.txt, line 2: 1,000,000 characters in one line, at most 100,000 are read",
        ),
    ],
)
def test_no_list(tmp_path, content, message):
    with pytest.raises(FinegrainedError, match=message):
        lists(tmp_path, content)


def test_utf_16_with_its_mark_is_unambiguous(tmp_path):
    assert lists(tmp_path, "é.jpg 1\n".encode("utf-16"))["path"].tolist() == ["é.jpg", "z.jpg"]


@pytest.mark.timeout(20)
def test_no_pipe_and_no_device(tmp_path):
    (tmp_path / "two.txt").write_text("z.jpg 1\n")
    os.mkfifo(tmp_path / "pipe.txt")
    (tmp_path / "zero.txt").symlink_to("/dev/zero")
    for name, what in (("pipe.txt", "a named pipe"), ("zero.txt", "a device")):
        with pytest.raises(FinegrainedError, match=f"not a regular file but {what}"):
            read_lists([tmp_path / name, tmp_path / "two.txt"], {})


def test_two_spellings_of_a_path_are_one(tmp_path):
    assert lists(tmp_path, b"./a//b.jpg 1\n")["path"].tolist() == ["a/b.jpg", "z.jpg"]


def test_a_data_set_that_knows_some_of_the_paths_is_not_theirs(tmp_path):
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("known/1.jpg 0\nother.jpg 1\n")
    knows = {"some": lambda path: {"subject": "s"} if path.startswith("known") else None}
    table, name = read_lists([tmp_path / "a.txt", tmp_path / "b.txt"], knows)
    assert (name, list(table)) == ("", ["part", "path", "label"])


def test_parts_are_called_by_their_files_and_folders_where_those_are_called_alike(tmp_path):
    paths = []
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        paths.append(tmp_path / folder / "train.txt")
        paths[-1].write_text(f"{folder}.jpg 1\n")
    assert read_lists(paths, {})[0]["part"].tolist() == [str(path) for path in paths]
    (tmp_path / "val.txt").write_text("three.jpg 1\n")
    assert read_lists([paths[0], tmp_path / "val.txt"], {})[0]["part"].tolist() == ["train.txt", "val.txt"]
    with pytest.raises(FinegrainedError, match="needs two or more different list files"):
        read_lists([*paths, paths[0]], {})
