"""Tables as people save them: read, or one line that says what to do."""

import os

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from finegrained_crl.data.tables import read_table
from finegrained_crl.errors import FinegrainedError

NEEDED = ("path", "label")


def read(folder, content, name="t.csv", **options):
    (folder / name).write_bytes(content)
    return read_table(folder / name, needed=NEEDED, **options)


@pytest.mark.parametrize(
    "content",
    [
        b"path,label\na.jpg,x\n",
        b"path;label\na.jpg;x\n",
        b'"path";"label"\n"a.jpg";"x"\n',
        b"path\tlabel\na.jpg\tx\n",
        b"\xef\xbb\xbfpath,label\r\na.jpg,x\r\n",
        "path\tlabel\na.jpg\tx\n".encode("utf-16"),
    ],
    ids=["comma", "semicolon", "quoted", "tab", "excel", "utf-16"],
)
def test_what_programs_write(tmp_path, content):
    assert read(tmp_path, content).to_dict("list") == {"path": ["a.jpg"], "label": ["x"]}


def test_a_separator_of_ones_own(tmp_path):
    assert read(tmp_path, b"path|label\na,b.jpg|x\n", separator="|")["path"].tolist() == ["a,b.jpg"]
    assert read(tmp_path, b"path;x,label\na;1,y\n").columns.tolist() == ["path;x", "label"], "a comma stays what it was"


def test_short_rows_have_empty_cells(tmp_path):
    assert read(tmp_path, b"path,label,subject\na.jpg,x\nb.jpg,y,s\n")["subject"].tolist() == ["", "s"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"t\.csv cannot be read as a \.csv table: it is empty; give a header line and one row per image"),
        (b"\n \n", "it is empty"),
        ("path,label\né.jpg,x\n".encode("latin-1"), r"not a UTF-8 text file \(byte 11, line 2\); save it as UTF-8"),
        (
            "path,label\na.jpg,x\n".encode("utf-16-le"),
            r"t\.csv, line 1: a zero byte, so this is no text; save it as UTF-8",
        ),
        (b"path,label\na.jpg,x\0\n", r"t\.csv, line 2: a zero byte"),
        (
            b"path,label\na.jpg,x\nb.jpg,y,z\n",
            r"line 3 has 3 cells and the header 2; put cells that hold ',' into quotes, or name",
        ),
        (b'path,label\n"a.jpg,x\nb.jpg,y\n', r"check its quotes"),
        (b"path,label\n" + b" " * 200_000 + b",x\n", r"t\.csv, line 2: 200,002 characters in one line"),
    ],
)
def test_no_table(tmp_path, content, message):
    with pytest.raises(FinegrainedError, match=message) as caught:
        read(tmp_path, content)
    assert "\n" not in str(caught.value)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_no_pipe(tmp_path, suffix):
    os.mkfifo(tmp_path / f"t{suffix}")
    with pytest.raises(FinegrainedError, match="not a regular file but a named pipe"):
        read_table(tmp_path / f"t{suffix}")


def test_a_damaged_parquet_table(tmp_path):
    pd.DataFrame({"path": ["a"], "label": ["b"]}).to_parquet(tmp_path / "whole.parquet")
    whole = (tmp_path / "whole.parquet").read_bytes()
    for content in (b"", b"PAR1", whole[:-9], whole[:40] + whole[60:]):
        with pytest.raises(FinegrainedError, match=r"cannot be read as a \.parquet table: .*; write it again"):
            read(tmp_path, content, "t.parquet")


def test_text_of_a_parquet_table_that_is_no_text(tmp_path):
    paths = pa.array([b"a.jpg", b"\xff.jpg"]).view(pa.string())
    pq.write_table(pa.table({"path": paths}), tmp_path / "t.parquet")
    with pytest.raises(FinegrainedError, match=r"cannot be read as a \.parquet table: .*; write it again"):
        read_table(tmp_path / "t.parquet")


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.binary(max_size=60), st.text('ab,;"\n\r\t\0 é', max_size=60).map(str.encode)))
def test_bytes_are_a_table_or_one_line(tmp_path, content):
    try:
        assert read(tmp_path, content).dtypes.astype(str).isin(["str", "object", "string"]).all()
    except FinegrainedError as error:
        told = str(error)
    else:
        return
    assert "\n" not in told


def test_cells_that_a_short_row_lacks_are_empty(tmp_path):
    (tmp_path / "a.csv").write_text("path,label,subject\n1.jpg,a\n2.jpg,b,s\n")
    assert read_table(tmp_path / "a.csv")["subject"].tolist() == ["", "s"]


def test_the_separator_is_the_one_that_shows_the_needed_columns(tmp_path):
    (tmp_path / "a.csv").write_text("size (w,h);path;label\n3,4;1.jpg;a\n")
    assert list(read_table(tmp_path / "a.csv", needed=("path", "label"))) == ["size (w,h)", "path", "label"]
