"""How the cells of a study share a machine: cores, cards, and the flags that say so to each."""

from __future__ import annotations

import os
from dataclasses import dataclass

from finegrained_crl.cores import available_cores
from finegrained_crl.training.run_options import DataIn


@dataclass(frozen=True)
class Machine:
    """How cells share the machine.

    Attributes:
        jobs: cells side by side.
        gpus: ids for CUDA_VISIBLE_DEVICES, one cell after the other; empty: CPU.
        device: "auto" or "cpu", for `fgcrl finetune`.
        checkpoint_seconds: time between checkpoints within an epoch.
        accept_changed_data: let cells go on with data that changed since they began.
        data_in: where their pictures come from (`training/routes.py`).
        share: of a card that a cell takes.
    """

    jobs: int = 1
    gpus: tuple[str, ...] = ()
    device: str = "auto"
    checkpoint_seconds: float = 60.0
    accept_changed_data: bool = False
    data_in: DataIn = "auto"
    share: float = 1.0

    def gpu(self, slot: int) -> dict[str, str]:
        """The environment of the cell in a slot: its GPU."""
        return {"CUDA_VISIBLE_DEVICES": self.gpus[slot % len(self.gpus)]} if self.gpus else {}

    def crowding(self, threads: int) -> str:
        """What to say where cells of so many threads want more cores than there are; "" where they don't."""
        cores = available_cores()
        if self.gpus or self.jobs * threads <= cores or self.jobs == 1:
            return ""
        return (
            f"{self.jobs} cells x {threads} threads on {cores} cores: they wait for each other, --jobs"
            f" {max(1, cores // threads)} fits (a study keeps the threads that it began with)"
        )

    def words(self, threads: int) -> list[str]:
        """Flags of `fgcrl finetune` that say how a cell runs here; loaders get the cores that jobs leave to each."""
        cores = max(1, available_cores() // self.jobs)
        workers = min(8, cores) if self.gpus else threads // 2
        words = ["--device", self.device, "--data-in", self.data_in, "--workers", str(workers)]
        words += ["--checkpoint-seconds", str(self.checkpoint_seconds)]
        return [*words, "--accept-changed-data"] if self.accept_changed_data else words


def visible_gpus() -> tuple[str, ...]:
    """Ids of the GPUs that this process may use, as CUDA_VISIBLE_DEVICES takes them."""
    import torch

    named = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    return tuple(named or map(str, range(torch.cuda.device_count()))) if torch.cuda.is_available() else ()
