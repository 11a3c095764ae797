"""Orders to stop a study, that anybody gives to all of its launchers: STUDY/claims/cancelled/3 is the third one."""

from __future__ import annotations

import time
from pathlib import Path

from finegrained_crl import files
from finegrained_crl.crossval.leases import FOLDER
from finegrained_crl.errors import FinegrainedError

LOOK_SECONDS = 1.0


class CancelledError(FinegrainedError):
    """Somebody asked for the study to be stopped."""


class Orders:
    """What a launcher obeys: orders that were given since it began.

    Args:
        study: folder of the study.
        before: number of the orders that were there; None: those that are there now.
    """

    def __init__(self, study: Path, before: int | None = None) -> None:
        self.study = study
        self.before = count_orders(study) if before is None else before
        self._looked = float("-inf")

    def check(self) -> None:
        """Look, once a second.

        Raises:
            CancelledError: there is a new order.
        """
        if time.monotonic() - self._looked < LOOK_SECONDS:
            return
        self._looked = time.monotonic()
        if _order(self.study, self.before + 1).exists():
            raise CancelledError(
                f"cancelled by `fgcrl crossval --cancel`; cells under way have saved; go on with: fgcrl crossval --out"
                f" {self.study}"
            )


def give_order(study: Path) -> int:
    """Ask all launchers of a study to stop.

    Returns:
        how many such orders the study has had.
    """
    number = count_orders(study) + 1
    files.create_bytes(_order(study, number), b"")  # where somebody else was faster, theirs is the order
    return number


def count_orders(study: Path) -> int:
    """How many orders to stop a study has had."""
    number = 0
    while _order(study, number + 1).exists():
        number += 1
    return number


def _order(study: Path, number: int) -> Path:
    return study / FOLDER / "cancelled" / str(number)
