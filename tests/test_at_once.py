"""What is written appears whole, or not at all."""

import os

import pytest

from finegrained_crl.at_once import growing_file, new_folder, require_absent
from finegrained_crl.errors import FinegrainedError


def test_a_folder_appears_when_it_is_complete(tmp_path):
    out = tmp_path / "deep" / "out"
    with new_folder(out) as folder:
        (folder / "a").write_text("a")
        assert not out.exists()
    assert [path.name for path in out.iterdir()] == ["a"]
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def test_a_folder_that_fails_leaves_nothing(tmp_path):
    def fail():
        with new_folder(tmp_path / "out") as folder:
            (folder / "a").write_text("a")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_is_taken_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    require_absent(tmp_path / "empty")
    with new_folder(tmp_path / "empty") as folder:
        (folder / "a").write_text("a")
    (tmp_path / "file").write_text("")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    for name in ("empty", "file", "dangling"):
        with pytest.raises(FinegrainedError, match=f"--out .*{name} is there already: choose another, or remove it"):
            require_absent(tmp_path / name)


def test_a_folder_that_came_meanwhile_is_kept(tmp_path):
    with pytest.raises(FinegrainedError, match="there already"), new_folder(tmp_path / "out"):
        (tmp_path / "out").write_text("somebody else's")
    assert (tmp_path / "out").read_text() == "somebody else's"


def test_a_file_keeps_its_old_content_until_the_new_is_complete(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("old")

    def fail():
        with growing_file(path) as file:
            file.write("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert path.read_text() == "old"
    with growing_file(path) as file:
        file.write("whole")
        assert path.read_text() == "old"
    assert path.read_text() == "whole"
    assert [entry.name for entry in tmp_path.iterdir()] == ["rows.csv"]


def test_a_device_is_written_through(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    with growing_file(tmp_path / "pipe") as file:
        file.write("row")
    assert os.read(reader, 10) == b"row"
    os.close(reader)


def test_a_place_that_cannot_be_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FinegrainedError, match="can't make the folder"), growing_file(tmp_path / "file" / "rows.csv"):
        pass
