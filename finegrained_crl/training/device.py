"""The machine as one run sees it: accelerate's device and precision, and the random state of a step."""

from __future__ import annotations

import ctypes
import os
import random
from typing import Any

import numpy as np
import torch
from torch import nn

from finegrained_crl.cores import available_cores
from finegrained_crl.errors import FinegrainedError


def make_accelerator(precision: str, device: str) -> Any:
    """accelerate's `Accelerator` for one run.

    Args:
        precision: "fp32", "bf16" or "fp16".
        device: "auto" (GPU where there is one) or "cpu".
    Raises:
        FinegrainedError: the device can't do that precision.
    """
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState

    # accelerate keeps one state per process and refuses a second precision; a run after another in one process needs
    # its own.
    AcceleratorState._reset_state(reset_partial_state=False)
    # Sizes hardly change in a run, so cuDNN may time its convolutions once, as timm's train.py lets it.
    torch.backends.cudnn.benchmark = True
    try:
        on_cpu = device == "cpu" or _launched_without_gpu()
        return Accelerator(mixed_precision="no" if precision == "fp32" else precision, cpu=on_cpu)
    except ValueError as error:
        raise FinegrainedError(
            f"--precision {precision} is not available here: {error}; use --precision fp32 or auto"
        ) from None


def synchronise_batch_norm(network: nn.Module, processes: int, device: torch.device) -> None:
    """Let the layers of a network normalise over the batches of all processes; names of weights stay.

    Args:
        network: whose batch-normalisation layers are replaced.
        processes: that train together; with one there is nothing to synchronise.
        device: of this process.
    Raises:
        FinegrainedError: several processes on CPUs, for which PyTorch has no such layer.
    """
    from timm.layers import convert_sync_batchnorm

    if processes == 1:
        return
    if device.type != "cuda":
        raise FinegrainedError(
            "--sync-batchnorm needs GPUs: PyTorch synchronises batch normalisation there alone; leave it out, or train"
            " with one process and --accumulate"
        )
    convert_sync_batchnorm(network)


def _launched_without_gpu() -> bool:
    """Whether torchrun started several processes on a machine without a GPU.

    Left alone, accelerate then makes each of them a run of its own: it joins processes on CPUs only where it is told.
    """
    return os.environ.get("WORLD_SIZE", "1") not in ("", "1") and not torch.cuda.is_available()


def seed_step(*key: int) -> None:
    """Seed torch, numpy and random from a key such as (seed, epoch, step, rank).

    Because each step is seeded by its place alone, dropout, stochastic depth and mixup go on after a resume as if
    nothing happened, and no generator state has to be saved.
    """
    state = int(np.random.SeedSequence(key).generate_state(1, dtype=np.uint32)[0])
    torch.manual_seed(state)
    np.random.seed(state)
    random.seed(state)


def set_threads(threads: int | str) -> None:
    """Let the network have so many CPU threads; 0 and "auto" leave torch's own choice.

    Raises:
        FinegrainedError: a count that this process can't have.
    """
    if threads in (0, "auto"):
        return
    cores = available_cores()
    if not isinstance(threads, int) or not 0 < threads <= cores:
        raise FinegrainedError(f"--threads must be auto, or from 0 (torch's own choice) to {cores} here, got {threads}")
    torch.set_num_threads(threads)


def keep_freed_memory() -> None:
    """Tell glibc to keep the memory of freed tensors instead of giving it back to the system after every layer.

    Training on a CPU frees and asks again for the same hundreds of megabytes in each step; getting them as new pages
    costs about a tenth of the step. Where the C library is another one, nothing happens.
    """
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return
    mallopt(_M_MMAP_MAX, 0)
    mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # from malloc.h


def memory_format(name: str) -> torch.memory_format:
    """torch's memory format of that name."""
    return torch.channels_last if name == "channels_last" else torch.contiguous_format
