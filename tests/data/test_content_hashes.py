"""The cache of hashes: never wrong, never fatal, and used."""

import hashlib
import os
from pathlib import Path

import pytest

from finegrained_crl.data import content_hashes as hashing
from finegrained_crl.data.content_hashes import cache_folder, content_hashes


@pytest.fixture
def files(tmp_path):
    """Two files that were last written an hour ago, as the cache wants them; their status changed just now."""
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(name.encode() * 50)
    return tmp_path


@pytest.fixture
def settled(monkeypatch):
    monkeypatch.setattr(hashing, "RACY_NS", -(10**12))


@pytest.fixture
def reads(monkeypatch):
    """Names of the files that are really read."""
    names, real = [], hashing.source_sha256

    def counting(path):
        names.append(path.name)
        return real(path)

    monkeypatch.setattr(hashing, "source_sha256", counting)
    return names


def sha(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()


def test_a_second_look_reads_nothing(files, settled, reads):
    expected = {"a": sha(b"a" * 50), "b": sha(b"b" * 50), "gone": ""}
    assert content_hashes(files, ["a", "b", "gone", "a"]) == expected
    assert sorted(reads) == ["a", "b", "gone"]
    reads.clear()
    assert content_hashes(files, ["a", "b"]) == {"a": expected["a"], "b": expected["b"]}
    assert reads == []


def test_new_content_of_the_same_size_and_time_is_noticed(files, settled, reads):
    content_hashes(files, ["a", "b"])
    before = (files / "a").stat()
    (files / "new").write_bytes(b"c" * 50)
    os.utime(files / "new", ns=(before.st_atime_ns, before.st_mtime_ns))
    os.replace(files / "new", files / "a")
    assert content_hashes(files, ["a"])["a"] == sha(b"c" * 50)
    with (files / "b").open("r+b") as file:
        file.write(b"d")
    before_b = (files / "b").stat()
    os.utime(files / "b", ns=(before_b.st_atime_ns, before.st_mtime_ns))
    assert content_hashes(files, ["b"])["b"] == sha(b"d" + b"b" * 49)


def test_a_file_that_was_just_written_is_not_trusted(files, reads):
    content_hashes(files, ["a"])
    content_hashes(files, ["a"])
    assert reads == ["a", "a"]


def test_other_paths_of_the_root_stay_cached(files, settled, reads):
    content_hashes(files, ["a"])
    content_hashes(files, ["b"])
    reads.clear()
    content_hashes(files, ["a", "b"])
    assert reads == []


@pytest.mark.parametrize("damage", [b"", b"nonsense", None])
def test_a_damaged_cache_is_no_cache(files, settled, cache, reads, damage):
    expected = content_hashes(files, ["a"])
    (store,) = cache.glob("hashes/*.json")
    flipped = store.read_bytes().replace(expected["a"].encode(), b"0" * 64)
    store.write_bytes(flipped if damage is None else damage)
    assert content_hashes(files, ["a"]) == expected
    assert reads == ["a", "a"]


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(files, settled, monkeypatch, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("FINEGRAINED_CRL_CACHE", str(tmp_path / "file" / "below"))
    assert content_hashes(files, ["a"])["a"] == sha(b"a" * 50)
    monkeypatch.setenv("FINEGRAINED_CRL_CACHE", "/proc/nowhere")
    assert content_hashes(files, ["a"])["a"] == sha(b"a" * 50)


def test_where_it_lies(monkeypatch):
    monkeypatch.delenv("FINEGRAINED_CRL_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert cache_folder() == Path("/x/finegrained-crl")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "finegrained-crl"


def test_progress(files):
    seen = []
    content_hashes(files, ["a", "b"], lambda done, total: seen.append((done, total)))
    assert seen == [(1, 2), (2, 2)]


def test_nothing_partial_is_left(files, settled, cache):
    content_hashes(files, ["a"])
    assert [p.suffix for p in (cache / "hashes").iterdir()] == [".json"]
