"""Pictures in a Parquet table: each row's own, whatever its group; few groups in memory; damage is one line."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from finegrained_crl.data import parquet_pictures
from finegrained_crl.data.parquet_pictures import ParquetPictures, group_starts
from finegrained_crl.errors import FinegrainedError

CONTENT = [bytes([row]) * 1000 for row in range(10)]


@pytest.fixture(params=["bytes", "struct"])
def pictures(request, tmp_path):
    """Ten rows in groups of three."""
    column = pa.array(CONTENT)
    if request.param == "struct":
        column = pa.array([{"bytes": content, "path": "x.jpg"} for content in CONTENT])
    pq.write_table(pa.table({"label": range(10), "image": column}), tmp_path / "t.parquet", row_group_size=3)
    starts = group_starts(pq.read_metadata(tmp_path / "t.parquet"))
    parquet_pictures._GROUPS.clear()
    return ParquetPictures(tmp_path / "t.parquet", "image", starts)


def test_every_row_is_its_own(pictures):
    assert pictures.starts.tolist() == [0, 3, 6, 9, 10]
    assert [pictures(row) for row in (9, 0, 4, 3, 8, 7)] == [CONTENT[row] for row in (9, 0, 4, 3, 8, 7)]


@pytest.mark.parametrize(
    ("most", "rows", "expected"),
    [
        (1 << 20, (0, 1, 5, 0, 9), [0, 1, 3]),
        (6500, (0, 5, 9, 5, 0, 9), [0, 1, 3, 0, 3]),  # bytes: of groups of 3,000, and one of 1,000
        (1, (0, 1, 5, 0), [0, 1, 0]),
    ],
)
def test_groups_stay_until_there_are_too_many_bytes(pictures, monkeypatch, most, rows, expected):
    groups = []
    read = parquet_pictures.read_group
    monkeypatch.setattr(parquet_pictures, "read_group", lambda *place: groups.append(place[2]) or read(*place))
    monkeypatch.setattr(parquet_pictures, "MOST_BYTES", most)
    for row in rows:
        pictures(row)
    assert groups == expected


def test_a_changed_table_is_read_again(pictures):
    assert pictures(2) == CONTENT[2]
    other = pa.table({"label": range(10), "image": pa.array([b"other"] * 10)})
    pq.write_table(other, pictures.path, row_group_size=3)
    assert pictures(2) == b"other"


def test_an_empty_cell_holds_nothing(tmp_path):
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"image": pa.array([b"a", None])}), path)
    assert ParquetPictures(path, "image", group_starts(pq.read_metadata(path)))(1) == b""


def test_damage_is_one_line(pictures):
    content = bytearray(pictures.path.read_bytes())
    content[200:600] = b"?" * 400
    pictures.path.write_bytes(content)
    with pytest.raises(FinegrainedError, match=r"cannot be read as a .parquet table: .*; write or download it again"):
        pictures(0)
