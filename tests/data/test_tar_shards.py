"""Pictures are read from their place in a shard; what is no plain tar file ends in one line."""

import gzip
import io
import tarfile

import pytest

from finegrained_crl.data.array_files import open_array_file
from finegrained_crl.data.tar_shards import picture_members, read_samples
from finegrained_crl.errors import FinegrainedError


def write_shard(path, members):
    with tarfile.open(path, "w") as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def test_members_of_one_key_are_a_sample(tmp_path):
    shard = write_shard(
        tmp_path / "a.tar",
        [("x/1.jpg", b"one"), ("x/1.cls", b"4"), ("x/1.seg.png", b"mask"), ("./2.PNG", b"two"), ("3.json", b"{}")],
    )
    first, second, third = read_samples(shard)
    assert (first.key, first.notes, second.key, third.picture) == ("x/1", {"cls": "4"}, "2", None)
    content = open_array_file(shard)
    assert [content.pictures(index) for index in range(content.size)] == [b"one", b"two"]


def test_a_link_or_a_folder_is_no_member(tmp_path):
    shard = tmp_path / "a.tar"
    with tarfile.open(shard, "w") as archive:
        for name, kind in (("1.jpg", tarfile.SYMTYPE), ("2.jpg", tarfile.LNKTYPE), ("3.jpg", tarfile.DIRTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
    assert picture_members(shard) == []


def test_a_changed_shard_is_indexed_again(tmp_path):
    shard = write_shard(tmp_path / "a.tar", [("1.jpg", b"one")])
    assert len(picture_members(shard)) == 1
    write_shard(shard, [("1.jpg", b"one"), ("2.jpg", b"two")])
    assert len(picture_members(shard)) == 2


def test_what_can_not_be_read_is_one_line(tmp_path):
    good = write_shard(tmp_path / "good.tar", [("1.jpg", b"x" * 3000), ("1.cls", b"1")])
    cases = {
        "packed.tar": (gzip.compress(good.read_bytes()), "compressed"),
        "cut.tar": (good.read_bytes()[:2000], "ends within '1.jpg'"),
        "text.tar": (b"hello" * 500, "no tar file"),
        "empty.tar": (b"", "no tar file"),
    }
    for name, (content, words) in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(FinegrainedError, match=words):
            read_samples(tmp_path / name)
    write_shard(tmp_path / "two.tar", [("1.jpg", b"a"), ("1.png", b"b")])
    with pytest.raises(FinegrainedError, match="two pictures with the key '1'"):
        read_samples(tmp_path / "two.tar")
    write_shard(tmp_path / "latin.tar", [("1.cls", b"\xe9")])
    with pytest.raises(FinegrainedError, match="no UTF-8 text"):
        read_samples(tmp_path / "latin.tar")
    write_shard(tmp_path / "long.tar", [("1.cls", b"1" * (1 << 21))])
    with pytest.raises(FinegrainedError, match="a label or description has few"):
        read_samples(tmp_path / "long.tar")
