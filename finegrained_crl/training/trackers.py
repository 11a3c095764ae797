"""Where the figures of epochs go beside epochs.csv: TensorBoard's files in the run folder, W&B or MLflow by accelerate.

A tracker changes no result. One whose package is absent, or that can't begin (no account, no server), stops the run
before it trains; what it says in the middle of a run is its own.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from finegrained_crl.errors import FinegrainedError
from finegrained_crl.training.run_options import Tracker

if TYPE_CHECKING:
    from finegrained_crl.training.recipe import Recipe
    from finegrained_crl.training.run_folder import RunFolder

PROJECT = "finegrained-crl"
"""Project of W&B, experiment of MLflow."""


class Board(Protocol):
    """What takes the figures of an epoch."""

    def add(self, row: dict[str, Any], epoch: int) -> None:
        """Take the row of a finished epoch, counted from 1."""


class TensorBoard:
    """Event files in the run folder.

    Args:
        run: its folder.
        epoch: finished epochs; what an interrupted run wrote of later ones is taken back.
    """

    def __init__(self, run: RunFolder, epoch: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.writer = SummaryWriter(str(run.tensorboard), purge_step=epoch + 1)

    def add(self, row: dict[str, Any], epoch: int) -> None:
        """One scalar per figure."""
        for name, value in figures(row).items():
            self.writer.add_scalar(name, value, epoch)

    def finish(self) -> None:
        """Write what is left."""
        self.writer.close()


class Accelerated:
    """One of accelerate's trackers, begun with the settings of the run.

    Args:
        name: "wandb" or "mlflow".
        run: its folder.
        recipe: its settings.
    Raises:
        FinegrainedError: it can't begin.
    """

    def __init__(self, name: Tracker, run: RunFolder, recipe: Recipe) -> None:
        try:
            self.tracker = _begun(name, run)
            self.tracker.store_init_configuration(_settings(recipe))
        except Exception as error:
            why = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise FinegrainedError(
                f"--tracker {name} can't begin: {why}; log in, work offline (WANDB_MODE=offline;"
                " MLFLOW_TRACKING_URI=sqlite:///mlflow.db), or leave --tracker out"
            ) from error

    def add(self, row: dict[str, Any], epoch: int) -> None:
        """All figures at once."""
        self.tracker.log(figures(row), step=epoch)

    def finish(self) -> None:
        """Say that the run is over."""
        self.tracker.finish()


class Nothing:
    """Of all processes but the first."""

    def add(self, row: dict[str, Any], epoch: int) -> None:
        """Forget it."""

    def finish(self) -> None:
        """Nothing was begun."""


def require_tracker(name: Tracker) -> None:
    """Raise where the tracker's package is not installed.

    Raises:
        FinegrainedError: it is absent; the command that installs it is named.
    """
    if name != "tensorboard" and importlib.util.find_spec(name) is None:
        raise FinegrainedError(
            f'--tracker {name}: {name} is not installed; run: pip install "finegrained-crl[{name}]", or leave'
            " --tracker out for TensorBoard"
        )


@contextmanager
def tracked(name: Tracker, run: RunFolder, recipe: Recipe, epoch: int, *, is_main: bool) -> Iterator[Board]:
    """The tracker of a run while it trains.

    Args:
        name: which one.
        run: its folder.
        recipe: its settings.
        epoch: finished epochs.
        is_main: whether this process is the first of the run; the others track nothing.
    """
    board: TensorBoard | Accelerated | Nothing = Nothing()
    if is_main:
        board = TensorBoard(run, epoch) if name == "tensorboard" else Accelerated(name, run, recipe)
    try:
        yield board
    finally:
        board.finish()


def figures(row: dict[str, Any]) -> dict[str, float]:
    """The numbers of an epoch's row; its place and what was not measured are left out."""
    return {name: value for name, value in row.items() if isinstance(value, int | float) and name != "epoch"}


def _begun(name: Tracker, run: RunFolder) -> Any:
    from accelerate.tracking import MLflowTracker, WandBTracker

    folder = run.folder.absolute()
    if name == "wandb":
        # A run that goes on is the same run there: it is known by its folder.
        known_by = hashlib.sha256(str(folder).encode()).hexdigest()[:16]
        tracker: Any = WandBTracker(PROJECT, name=folder.name, id=known_by, resume="allow")
    else:
        tracker = MLflowTracker(PROJECT, run_name=folder.name)
    tracker.start()
    return tracker


def _settings(recipe: Recipe) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in recipe.as_dict().items():
        inner = value if isinstance(value, dict) else {"": value}
        flat |= {f"{key}.{option}".rstrip("."): str(setting) for option, setting in inner.items()}
    return flat
