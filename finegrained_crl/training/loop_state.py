"""What a checkpoint of a run holds, and how a run takes it up again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from finegrained_crl.errors import FinegrainedError
from finegrained_crl.training.progress import Progress

if TYPE_CHECKING:
    from finegrained_crl.training.loop import Loop
    from finegrained_crl.training.session import Session


def state_of(loop: Loop) -> dict[str, Any]:
    """All that the rest of a run depends on; the random state is none of it, as each step is seeded by its place."""
    accelerator = loop.session.accelerator
    return {
        "trainee": loop.trainee.state_dict(),
        "stage": loop.stage.placed.stage.name,
        "optimizer": loop.stage.optimizer.state_dict(),
        "ema": loop.ema.module.state_dict() if loop.ema else None,
        "notes": loop.trainee.model.notes,
        "scaler": accelerator.scaler.state_dict() if accelerator.scaler else None,
        "progress": loop.progress.as_dict(),
        "data": loop.session.data.digest,
        "processes": accelerator.num_processes,
    }


def take_up(loop: Loop, state: dict[str, Any]) -> None:
    """Set weights, averages, scaler and progress; the optimiser's state waits until its stage begins.

    Raises:
        FinegrainedError: the checkpoint belongs to other data.
    """
    session = loop.session
    _require_same_data(session, state)
    loop.trainee.load_state_dict(state["trainee"])
    loop.trainee.model.notes = state["notes"]
    if loop.ema:
        loop.ema.module.load_state_dict(state["ema"])
    if session.accelerator.scaler and state["scaler"]:
        session.accelerator.scaler.load_state_dict(state["scaler"])
    loop.progress = Progress.from_dict(state["progress"])
    # An update of several processes is as many of one; a rest is trained on again.
    loop.progress.update = loop.progress.update * state.get("processes", 1) // session.accelerator.num_processes


def _require_same_data(session: Session, state: dict[str, Any]) -> None:
    """The session compared the data with what the folder says; this checkpoint must belong to it."""
    if state["data"] not in session.known_data:
        raise FinegrainedError(
            f"{session.run.last} was written by a run on other data than {session.run.folder} says: "
            "choose another --out, or pass --accept-changed-data"
        )
