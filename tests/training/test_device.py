"""The random state of a step, and layouts by name."""

import random

import numpy as np
import pytest
import torch
from torch import nn

from finegrained_crl.errors import FinegrainedError
from finegrained_crl.training import device
from finegrained_crl.training.device import memory_format, seed_step, set_threads, synchronise_batch_norm


def drawn(*key):
    seed_step(*key)
    return torch.rand(1).item(), np.random.rand(), random.random()


def test_a_step_is_seeded_by_its_whole_key():
    keys = [(1, 2, 3), (1, 2, 4), (1, 3, 3), (2, 2, 3), (1, 2, 3, 1), (1,)]
    for library in range(3):
        assert len({drawn(*key)[library] for key in keys}) == len(keys)
    assert drawn(1, 2, 3) == drawn(1, 2, 3)


@pytest.mark.parametrize(
    ("name", "form"), [("channels_last", torch.channels_last), ("contiguous", torch.contiguous_format)]
)
def test_layouts(name, form):
    assert memory_format(name) == form


def small_network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(16, 2)).eval()


def test_batch_norm_of_several_gpus_keeps_weights_names_and_answers():
    plain, images = small_network(), torch.rand(2, 3, 4, 4)
    shared = small_network()
    synchronise_batch_norm(shared, 2, torch.device("cuda"))
    assert [type(layer).__name__ for layer in shared][1] == "SyncBatchNorm"
    assert shared.state_dict().keys() == plain.state_dict().keys()
    torch.testing.assert_close(shared(images), plain(images), rtol=0, atol=0)


def test_batch_norm_of_one_process_or_of_cpus():
    network = small_network()
    synchronise_batch_norm(network, 1, torch.device("cpu"))
    assert isinstance(network[1], nn.BatchNorm2d)
    with pytest.raises(FinegrainedError, match="--sync-batchnorm needs GPUs"):
        synchronise_batch_norm(network, 2, torch.device("cpu"))


def test_threads_are_those_asked_for_and_nothing_asked_leaves_them():
    before = torch.get_num_threads()
    try:
        set_threads(1)
        assert torch.get_num_threads() == 1
        set_threads(0)
        set_threads("auto")
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("threads", [-1, 3, 10**6])
def test_threads_that_there_are_no_cores_for_are_refused(threads, monkeypatch):
    monkeypatch.setattr(device, "available_cores", lambda: 2)
    with pytest.raises(FinegrainedError, match=rf"auto, or from 0 \(torch's own choice\) to 2 here, got {threads}"):
        set_threads(threads)
