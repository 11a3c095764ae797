"""Checkpoints: whole, or refused; the one before is kept for the day on which the newest is damaged."""

import pytest
import torch

from finegrained_crl import files
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.training import checkpoint


@pytest.fixture
def path(tmp_path):
    return tmp_path / "last.pt"


def test_comes_back_whole(path):
    state = {"w": torch.arange(3.0), "progress": {"epoch": 2}, "none": None}
    checkpoint.save(path, state)
    found = checkpoint.load(path)
    assert found["w"].tolist() == [0, 1, 2]
    assert (found["progress"], found["none"]) == ({"epoch": 2}, None)
    assert not checkpoint.previous(path).exists()


def test_the_one_before_is_kept_where_asked(path):
    checkpoint.save(path, {"n": 1}, keep_previous=True)
    checkpoint.save(path, {"n": 2}, keep_previous=False)
    assert not checkpoint.previous(path).exists()
    checkpoint.save(path, {"n": 3}, keep_previous=True)
    assert (checkpoint.load(path)["n"], checkpoint.load(checkpoint.previous(path))["n"]) == (3, 2)
    assert checkpoint.load_latest(path)[0]["n"] == 3
    assert checkpoint.load_latest(path)[1] == ""


def test_a_changed_byte_is_noticed_and_the_one_before_taken(path):
    checkpoint.save(path, {"w": torch.zeros(1000)}, keep_previous=True)
    checkpoint.save(path, {"w": torch.ones(1000)}, keep_previous=True)
    content = bytearray(path.read_bytes())
    content[content.index(torch.ones(4).numpy().tobytes()) + 2] ^= 1  # a weight's last digits: torch would not see it
    path.write_bytes(content)
    with pytest.raises(FinegrainedError, match="does not agree with its checksum"):
        checkpoint.load(path)
    state, warning = checkpoint.load_latest(path)
    assert state["w"].sum() == 0
    assert "going on from the one before" in warning
    checkpoint.previous(path).unlink()
    with pytest.raises(FinegrainedError, match="delete it to start the run anew"):
        checkpoint.load_latest(path)


def test_never_was_one(path):
    assert checkpoint.load_latest(path) == (None, "")


class Dangerous:
    def __reduce__(self):
        return (print, ("code ran",))


def sealed(path, content):
    files.write_bytes(path, content + checkpoint._trailer(content))


def test_code_is_never_run_nor_passed_over_for_the_one_before(path, tmp_path, capsys):
    checkpoint.save(path, {"n": 1})
    checkpoint.save(path, {"n": 2}, keep_previous=True)
    torch.save({"format": checkpoint.FORMAT, "x": Dangerous()}, tmp_path / "dangerous.pt")
    sealed(path, (tmp_path / "dangerous.pt").read_bytes())
    with pytest.raises(FinegrainedError, match="could run code"):
        checkpoint.load(path)
    with pytest.raises(FinegrainedError, match="could run code"):
        checkpoint.load_latest(path)
    assert "code ran" not in capsys.readouterr().out


def test_another_format_and_no_checksum_are_refused(path, tmp_path):
    torch.save({"format": 77}, tmp_path / "other.pt")
    sealed(path, (tmp_path / "other.pt").read_bytes())
    with pytest.raises(FinegrainedError, match="has format 77, this version reads 1"):
        checkpoint.load(path)
    torch.save({"format": checkpoint.FORMAT}, path)
    with pytest.raises(FinegrainedError, match="it has no checksum"):
        checkpoint.load(path)
    sealed(path, b"no file of torch's")
    with pytest.raises(FinegrainedError, match=r"checkpoint .* (is damaged|refused)"):
        checkpoint.load(path)


def test_weights_files(tmp_path):
    path = tmp_path / "model.safetensors"
    checkpoint.save_weights(path, {"w": torch.arange(6.0).view(2, 3).t()})
    assert checkpoint.load_weights_file(path)["w"].tolist() == [[0, 3], [1, 4], [2, 5]]
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(FinegrainedError, match="can't be read"):
        checkpoint.load_weights_file(path)
