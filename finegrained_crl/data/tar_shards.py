"""WebDataset shards: tar files whose neighbouring members belong together by name (`0001.jpg`, `0001.cls`).

A shard is indexed once, by reading its headers; a picture is then read from its place in the file. So an epoch over
shards is what an epoch over files is: every picture once, in the seeded order, from any batch on.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, NamedTuple

from finegrained_crl.data.regular import open_regular, status
from finegrained_crl.data.suffixes import IMAGE_SUFFIXES
from finegrained_crl.errors import FinegrainedError

OPEN_SHARDS = 4096  # indexes kept: a few numbers a picture
LONGEST_NOTE = 1 << 20  # bytes of a label or description
COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")
NOTES = ("cls", "json", "txt")
Key = tuple[Path, tuple[int, int, int] | None]


class Member(NamedTuple):
    """Where the bytes of a member are."""

    start: int
    size: int


@dataclass
class Sample:
    """Members of one key.

    Attributes:
        key: what their names share.
        picture: the image file; None where the key has none.
        notes: extension -> text, of the members that describe the picture.
    """

    key: str
    picture: Member | None = None
    notes: dict[str, str] = field(default_factory=dict)


def read_samples(path: Path) -> list[Sample]:
    """The samples of a shard, with their descriptions; those without a picture included.

    Raises:
        FinegrainedError: damaged, compressed, or two pictures under one key.
    """
    samples: dict[str, Sample] = {}
    key_of_shard = _key(path)
    with open_regular(path) as file:
        for name, member in _members(path, file):
            key, extension = _split(name)
            sample = samples.setdefault(key, Sample(key))
            if f".{extension}" in IMAGE_SUFFIXES:  # `seg.png` and the like belong to a picture, and are none
                if sample.picture is not None:
                    raise FinegrainedError(f"{path}: two pictures with the key '{key}'; give each a key of its own")
                sample.picture = member
            elif extension in NOTES:
                sample.notes[extension] = _text(path, file, name, member)
    _keep(key_of_shard, [sample.picture for sample in samples.values() if sample.picture is not None])
    return list(samples.values())


def picture_members(path: Path) -> list[Member]:
    """Where the pictures of a shard are, in their order; kept as long as the shard is not changed."""
    key = _key(path)
    if key not in _INDEXES:
        read_samples(path)
    return _INDEXES[key]


def read_member(path: Path, member: Member) -> bytes:
    """The bytes of a member."""
    with open_regular(path) as file:
        file.seek(member.start)
        content = file.read(member.size)
    if len(content) < member.size:
        raise FinegrainedError(f"{path}: ends {member.size - len(content)} bytes early; download it again")
    return content


_INDEXES: dict[Key, list[Member]] = {}
"""Of the shards read last. Loader processes are forks: they have what reading the data set left here."""


def _key(path: Path) -> Key:
    state = status(path)
    return path, (state.st_size, state.st_mtime_ns, state.st_ino) if state else None


def _keep(key: Key, members: list[Member]) -> None:
    while len(_INDEXES) >= OPEN_SHARDS:
        del _INDEXES[next(iter(_INDEXES))]
    _INDEXES[key] = members


def _members(path: Path, file: BinaryIO) -> Iterator[tuple[str, Member]]:
    """Name and place of each regular member; links and devices are none of a data set's."""
    if file.read(4).startswith(COMPRESSED):
        raise FinegrainedError(f"{path}: compressed, so no picture can be read by itself; unpack it to a plain .tar")
    size = file.seek(0, 2)
    file.seek(0)
    try:
        with tarfile.open(fileobj=file, mode="r:") as archive:
            for info in archive:
                if info.offset_data + info.size > size:
                    raise FinegrainedError(f"{path}: ends within '{info.name}'; download it again")
                if info.isreg() and not info.issparse():
                    yield info.name, Member(info.offset_data, info.size)
    except (tarfile.TarError, OSError, ValueError, OverflowError) as error:
        raise FinegrainedError(f"{path}: no tar file that can be read ({error}); download it again") from error


def _split(name: str) -> tuple[str, str]:
    """Key and extension, at the first point of the file's name, as the format says.

    >>> _split("birds/0001.seg.png")
    ('birds/0001', 'seg.png')
    """
    folder, slash, base = name.removeprefix("./").rpartition("/")
    stem, _, extension = base.partition(".")
    return folder + slash + stem, extension.lower()


def _text(path: Path, file: BinaryIO, name: str, member: Member) -> str:
    if member.size > LONGEST_NOTE:
        raise FinegrainedError(f"{path}: '{name}' has {member.size:,} bytes, a label or description has few")
    here = file.tell()
    file.seek(member.start)
    content = file.read(member.size)
    file.seek(here)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FinegrainedError(f"{path}: '{name}' is no UTF-8 text") from error
