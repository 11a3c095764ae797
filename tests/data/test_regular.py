"""Pipes, devices, sockets and names that no file can have end in one line, at once."""

import hashlib
import os
import socket

import pytest

from finegrained_crl.data.regular import is_regular, read_regular, sha256_of
from finegrained_crl.errors import FinegrainedError


@pytest.fixture
def pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    return tmp_path / "pipe.jpg"


@pytest.mark.timeout(20)
def test_a_pipe_is_not_waited_for(pipe):
    with pytest.raises(
        FinegrainedError, match=r"pipe\.jpg: not a regular file but a named pipe; put the file itself there"
    ):
        read_regular(pipe)
    assert not is_regular(pipe)


@pytest.mark.timeout(20)
def test_a_link_to_a_device_is_not_read(tmp_path):
    (tmp_path / "zero.jpg").symlink_to("/dev/zero")
    for read in (read_regular, sha256_of):
        with pytest.raises(FinegrainedError, match=r"zero\.jpg: not a regular file but a device"):
            read(tmp_path / "zero.jpg")


def test_a_socket(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a socket's name must be short
    with socket.socket(socket.AF_UNIX) as end:
        end.bind("s.jpg")
        with pytest.raises(FinegrainedError, match=r"s\.jpg: not a regular file but a socket"):
            read_regular(tmp_path / "s.jpg")


def test_a_folder_and_nothing(tmp_path):
    with pytest.raises(FinegrainedError, match="not a regular file but a folder"):
        read_regular(tmp_path)
    with pytest.raises(FinegrainedError, match="gone: no such file"):
        read_regular(tmp_path / "gone")


@pytest.mark.parametrize("name", ["zero\0byte", "half \ud800 a pair", "x" * 5000, "loop"])
def test_names_that_no_file_can_have(tmp_path, name):
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(FinegrainedError):
        read_regular(tmp_path / name)
    assert not is_regular(tmp_path / name)


def test_a_limit(tmp_path):
    (tmp_path / "a").write_bytes(b"12345")
    assert read_regular(tmp_path / "a", limit=5) == b"12345"
    with pytest.raises(FinegrainedError, match="larger than"):
        read_regular(tmp_path / "a", limit=4)
    assert sha256_of(tmp_path / "a") == hashlib.sha256(b"12345").hexdigest()
