"""A loader process that dies, hangs or has no room for its batch ends the run with one line: nothing waits for ever."""

import multiprocessing
import os
import signal

import numpy as np
import pytest
import torch
from PIL import Image

from finegrained_crl.data import loading, workers
from finegrained_crl.data.records import make_records
from finegrained_crl.data.transforms import EvalTransform, ImageSettings
from finegrained_crl.errors import FinegrainedError

SETTINGS = ImageSettings(16, "squash", 1.0, 1.0, 1.0, 0, 0, 0, 0, "single")


@pytest.fixture
def pictures(tmp_path):
    for i in range(8):
        Image.new("RGB", (20, 20), (i, i, i)).save(tmp_path / f"{i}.png")
    columns = {"path": [f"{i}.png" for i in range(8)], "label": [0, 1] * 4}
    records = make_records(columns, class_names=("a", "b"), root=tmp_path, protocol="eight")
    return loading.Pictures(records, EvalTransform(SETTINGS), convert=False)


def read(pictures, number=2):
    loader = loading.eval_loader(pictures, np.arange(8), batch_size=2, workers=number)
    return list(loading.batches(loader))


def die(number):
    return lambda *_: os.kill(os.getpid(), number)


@pytest.mark.parametrize(("number", "words"), [(signal.SIGKILL, "was killed (Killed)"), (signal.SIGBUS, "bus error")])
def test_a_worker_that_is_killed_is_one_line(number, words, pictures, monkeypatch):
    monkeypatch.setattr(loading.Pictures, "__getitem__", die(number))
    with pytest.raises(FinegrainedError, match="a loader process") as caught:
        read(pictures)
    assert words in str(caught.value)
    assert "--resume and fewer --workers" in str(caught.value)


def train_and_keep_the_loader(pictures):
    """What a process does that multiprocessing started, whose loader lives as long as it does."""
    loader = pictures.loader([[(0, 0)], [(0, 1)], [(0, 2)]], workers=1, persistent=True)
    kept.append(iter(loader))
    next(kept[0])


kept = []


def test_a_started_process_ends_although_its_loader_lives(pictures):
    process = multiprocessing.get_context("fork").Process(target=train_and_keep_the_loader, args=(pictures,))
    process.start()
    process.join(20)
    ended = process.exitcode == 0
    process.kill()
    assert ended


def test_a_batch_that_cannot_be_handed_over_is_not_waited_for(pictures, monkeypatch):
    monkeypatch.setattr(loading, "collate", lambda items: lambda: items)
    with pytest.raises(FinegrainedError, match="a loader process died"):
        read(pictures)


def test_no_room_for_a_batch_is_the_workers_own_word(pictures, monkeypatch):
    def full(_tensor):
        raise RuntimeError("unable to write to file </torch_1>: No space left on device (28)")

    monkeypatch.setattr(torch.Tensor, "share_memory_", full)
    with pytest.raises(FinegrainedError, match=r"no shared memory for a batch .*No space left.*--workers"):
        read(pictures)


def test_a_worker_that_hangs_is_given_up(pictures, monkeypatch):
    monkeypatch.setattr(workers, "SECONDS", 1)
    monkeypatch.setattr(loading.Pictures, "__getitem__", lambda *_: signal.sigwait([signal.SIGUSR1]))
    with pytest.raises(FinegrainedError, match="sent no picture for 1 s"):
        read(pictures)


def test_signals_for_all_processes_leave_the_workers_to_their_parent(pictures, monkeypatch):
    real = loading.Pictures.__getitem__

    def signalled(self, key):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
        return real(self, key)

    whole = read(pictures, 0)
    monkeypatch.setattr(loading.Pictures, "__getitem__", signalled)
    assert [batch.rows.tolist() for batch in read(pictures)] == [batch.rows.tolist() for batch in whole]


def test_other_errors_stay_what_they_are():
    with pytest.raises(RuntimeError, match="CUDA error"), workers.deaths_told():
        raise RuntimeError("CUDA error")


def test_workers_are_left_out_where_their_batches_do_not_fit(monkeypatch):
    monkeypatch.setattr(workers, "free_bytes", lambda: 64_000_000)
    assert workers.that_fit(4, 5_000_000) == (4, "")
    number, told = workers.that_fit(4, 6_000_000)
    assert number == 0
    assert "has 64 MB free and 4 loader processes may need 72 MB" in told
    assert "--workers 0" in told


def test_what_a_picture_takes_counts_its_views(pictures, tmp_path):
    flipped = loading.Pictures(
        make_records({"path": ["0.png"], "label": [0]}, class_names=("a",), root=tmp_path, protocol="one"),
        EvalTransform(ImageSettings(16, "squash", 1.0, 1.0, 1.0, 0, 0, 0, 0, "flip")),
        convert=False,
    )
    assert loading.bytes_per_picture(pictures, 0) == 16 * 16 * 3
    assert loading.bytes_per_picture(flipped, 0) == 2 * 16 * 16 * 3
    (tmp_path / "0.png").write_bytes(b"no picture")
    assert loading.bytes_per_picture(pictures, 0) == 0
