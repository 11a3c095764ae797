"""Atomic writing, on a really full disk where the machine lets us make one."""

import os
import subprocess

import pytest

from finegrained_crl import files
from finegrained_crl.errors import FinegrainedError


def test_replaces_the_content_at_once(tmp_path):
    files.write_text(tmp_path / "a" / "x.txt", "one")
    files.write_text(tmp_path / "a" / "x.txt", "two")
    assert (tmp_path / "a" / "x.txt").read_text() == "two"
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["x.txt"]


def test_nan_is_not_json(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_json(tmp_path / "x.json", {"a": float("nan")})


def test_a_failing_disk_keeps_the_old_content(tmp_path, monkeypatch):
    files.write_text(tmp_path / "x.txt", "old")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(FinegrainedError, match=r"No space left on device.*previous content is kept.*--resume"):
        files.write_text(tmp_path / "x.txt", "new")
    assert (tmp_path / "x.txt").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["x.txt"]


def test_a_full_disk_while_a_checkpoint_is_written(tmp_path):
    import torch

    from finegrained_crl.training import checkpoint

    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("may not mount a small disk here")
    try:
        checkpoint.save(disk / "last.pt", {"x": torch.ones(8)})
        with pytest.raises(
            FinegrainedError, match=r"can't write .*last\.pt \(No space left on device\): its previous content is kept"
        ):
            checkpoint.save(disk / "last.pt", {"x": torch.ones(100_000)})
        assert torch.equal(checkpoint.load(disk / "last.pt")["x"], torch.ones(8))
        assert [p.name for p in disk.iterdir()] == ["last.pt"]
    finally:
        subprocess.run(["umount", str(disk)], check=True)
