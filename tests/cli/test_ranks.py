"""What several processes of one job say, said once; tests/training/test_ranks.py has real ones."""

from pathlib import Path

import pytest

from finegrained_crl.cli import ranks
from finegrained_crl.cli.main import main
from finegrained_crl.cli.ranks import is_first_to_say, lost_ones_told
from finegrained_crl.errors import FinegrainedError


@pytest.fixture
def several(monkeypatch, tmp_path):
    monkeypatch.setattr(ranks.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setenv("WORLD_SIZE", "2")


@pytest.mark.usefixtures("several")
def test_a_message_is_said_once_in_a_job(monkeypatch, capsys):
    assert [is_first_to_say(text) for text in ("a", "a", "b")] == [True, False, True]
    monkeypatch.setattr(ranks, "_start_of", lambda _: "another parent of the same id")
    assert is_first_to_say("a")
    for _ in range(2):
        assert main(["finetune", "--data", "/nowhere"]) == 1
    assert capsys.readouterr().err.count("--data /nowhere does not exist") == 1


@pytest.mark.usefixtures("several")
def test_where_nothing_can_be_noted_all_speak(monkeypatch):
    monkeypatch.setattr(ranks.tempfile, "gettempdir", lambda: "/nowhere")
    assert [is_first_to_say("a"), is_first_to_say("a")] == [True, True]


def test_a_process_alone_always_speaks():
    assert [is_first_to_say("a"), is_first_to_say("a")] == [True, True]


@pytest.mark.usefixtures("several")
def test_a_lost_peer_is_one_line_and_another_error_stays():
    lost = pytest.raises(FinegrainedError, match=r"another process of this run has ended .*--resume --out run")
    with lost, lost_ones_told(Path("run")):
        raise RuntimeError("[gloo/transport/tcp/pair.cc:561] Connection closed by peer [127.0.0.1]")
    with pytest.raises(RuntimeError, match="mat1 and mat2"), lost_ones_told(Path("run")):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")


def test_alone_nobody_is_lost():
    with pytest.raises(RuntimeError, match="closed by peer"), lost_ones_told(Path("run")):
        raise RuntimeError("Connection closed by peer")
