from pathlib import Path

import pytest

from finegrained_crl.data.layout import GeneratedNote, first_holding, read_note, text_lines
from finegrained_crl.errors import FinegrainedError


def test_note_comes_back_as_written(tmp_path: Path) -> None:
    assert read_note(tmp_path) is None
    note = GeneratedNote("demo", 3, {"images": 5})
    note.write(tmp_path)
    assert read_note(tmp_path) == note


def test_damaged_note(tmp_path: Path) -> None:
    (tmp_path / "GENERATED.json").write_text("{")
    with pytest.raises(FinegrainedError, match=r"GENERATED\.json is damaged.*fgcrl data make"):
        read_note(tmp_path)


def test_folders_looked_at_are_listed(tmp_path: Path) -> None:
    with pytest.raises(FinegrainedError, match=r"no list\.txt in .*one, .*two\. Ask us"):
        first_holding([tmp_path / "one", tmp_path / "two"], "list.txt", "Ask us")


def test_lines_keep_their_numbers(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfone\r\n\r\nthree\n")
    assert list(text_lines(tmp_path / "a.txt")) == [(1, "one"), (3, "three")]
