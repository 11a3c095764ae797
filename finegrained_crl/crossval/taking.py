"""The cells of a study as one worker takes them: those that nobody has, and what becomes of those that others have."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from finegrained_crl.crossval.leases import End, Lease, Leases
from finegrained_crl.crossval.plan import Cell
from finegrained_crl.crossval.study import StudyFolder
from finegrained_crl.errors import FinegrainedError

LOOK_SECONDS = 1.0
"""Between two looks at the cells that other workers have."""
State = Literal["waiting", "running", "elsewhere", "done", "failed"]


@dataclass
class Status:
    """Where a cell stands.

    Attributes:
        state: waiting, running, elsewhere (another worker runs it), done or failed.
        seconds: wall time of its process in this session; 0 where it was done before, or elsewhere.
        reason: why it failed.
    """

    state: State = "waiting"
    seconds: float = 0.0
    reason: str = ""


class Taking:
    """Takes cells one after the other.

    Args:
        folder: of the study.
        cells: to be run, in this order.
        leases: of this worker.
        tell: called with (cell, its status) whenever one changes.
    """

    def __init__(
        self, folder: StudyFolder, cells: list[Cell], leases: Leases, tell: Callable[[Cell, Status], None]
    ) -> None:
        self.folder, self.leases, self.tell = folder, leases, tell
        self.status = {cell.name: Status("done" if folder.run(cell).is_done else "waiting") for cell in cells}
        self.waiting = deque(cell for cell in cells if self.status[cell.name].state != "done")
        self.elsewhere: list[Cell] = []
        self._looked = float("-inf")

    @property
    def is_finished(self) -> bool:
        """Whether nothing is left to take, here or from others who may fall silent."""
        return not self.waiting and not self.elsewhere

    def next(self) -> tuple[Cell, Lease] | None:
        """A cell that is this worker's now; None where there is none at the moment."""
        while (free := self.next_free()) is not None:
            cell, number = free
            lease = self.leases.claim(cell.name, over=number)
            if lease is None:
                self.leave(cell)
            elif self.folder.run(cell).is_done:  # it was finished between the last look and the claim
                self.give_back(cell, lease, End("committed"))
            else:
                self.set(cell, Status("running"))
                return cell, lease
        return None

    def next_free(self) -> tuple[Cell, int] | None:
        """A cell that nobody has, and the number of its last lease; None where there is none at the moment."""
        while self.waiting:
            cell = self.waiting.popleft()
            if self._is_settled(cell):
                continue
            number = self._free_number(cell)
            if number is not None:
                return cell, number
            self.leave(cell)
        return None

    def leave(self, cell: Cell) -> None:
        """Leave a cell to another worker, and look what becomes of it."""
        self.elsewhere.append(cell)
        self.set(cell, Status("elsewhere"))

    def give_back(self, cell: Cell, lease: Lease, end: End) -> None:
        """Say what became of a cell that this worker had."""
        self.leases.end(lease, end)
        if end.outcome == "released":
            self.set(cell, Status())
            self.waiting.append(cell)
        else:
            state: State = "done" if end.outcome == "committed" else "failed"
            self.set(cell, Status(state, end.seconds, end.reason))

    def try_again(self, cell: Cell) -> None:
        """Let a cell wait again; what ended its last lease is known, and not the failure of another worker."""
        self.leases.at_start[cell.name] = self.leases.latest(cell.name)
        self.set(cell, Status())
        self.waiting.append(cell)

    def look(self) -> None:
        """See, now and then, what became of the cells that others have; those that nobody has any more wait again."""
        if not self.elsewhere or time.monotonic() - self._looked < LOOK_SECONDS:
            return
        self._looked = time.monotonic()
        cells, self.elsewhere = self.elsewhere, []
        for cell in cells:
            if not self._is_settled(cell):
                is_free = self._free_number(cell) is not None
                (self.waiting if is_free else self.elsewhere).append(cell)

    def set(self, cell: Cell, status: Status) -> None:
        """Note where a cell stands."""
        if status != self.status[cell.name]:
            self.status[cell.name] = status
            self.tell(cell, status)

    def _free_number(self, cell: Cell) -> int | None:
        """The number of the last lease of a cell that anybody may take; None where somebody has it."""
        number = self.leases.latest(cell.name)
        is_held = self.is_locked(cell) or (number > 0 and not self.leases.is_over(cell.name, number))
        return None if is_held else number

    def _is_settled(self, cell: Cell) -> bool:
        """Whether another worker finished the cell, or failed at it, since this one began."""
        if self.folder.run(cell).is_done:
            self.set(cell, Status("done"))
            return True
        reason = self.leases.failure_meanwhile(cell.name)
        if reason is not None:
            self.set(cell, Status("failed", reason=reason))
        return reason is not None

    def is_locked(self, cell: Cell) -> bool:
        """Whether a process still trains in the run folder: one that its dead worker could not end."""
        run = self.folder.run(cell)
        if not run.folder.is_dir():
            return False
        try:
            with run.lock():
                return False
        except FinegrainedError:
            return True
