"""How a run runs, as opposed to what it trains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Tracker = Literal["tensorboard", "wandb", "mlflow"]
Threads = int | Literal["auto"]
DataIn = Literal["auto", "files", "memory", "device"]


@dataclass(frozen=True)
class RunOptions:
    """How to run: nothing here changes a result by more than rounding.

    Attributes:
        workers: loader processes; negative: chosen from the number of cores.
        device: "auto" or "cpu".
        checkpoint_seconds: time between checkpoints within an epoch.
        accept_changed_data: go on with data that changed since the run began; what changed is written into
            results.json.
        data_in: where pictures come from (routes.py).
        tracker: where the figures of epochs go beside epochs.csv (trackers.py).
        cuda_graphs: replay the kernels of a compiled network as CUDA graphs (compilation.py).
        threads: of the CPU, for the network; 0: as many as torch takes, "auto": the count whose step is fastest.
    """

    workers: int = -1
    device: str = "auto"
    checkpoint_seconds: float = 300.0
    accept_changed_data: bool = False
    data_in: DataIn = "auto"
    tracker: Tracker = "tensorboard"
    cuda_graphs: bool = False
    threads: Threads = 0
