"""Do values alone train? Evolution, SPSA and finite differences move parameters by what a loss is, and run no backward
pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor
from torch.utils.weak import TensorWeakRef

from finegrained_crl.retrofit.account.leaves import is_changed, remembered
from finegrained_crl.retrofit.account.ledger import Ledger

LOOKS, EVERY = 16, 64  # calls of a row that are looked at: the first, then one of so many
MOVES = 3  # without a backward pass; weights that are swapped for their mean, and put back, move twice
VALUES = (
    "no backward pass ran, yet parameters changed between its calls: its value alone may train (evolution, finite"
    " differences), as the program's own loss; name it with --only to replace it"
)


@dataclass
class _Row:
    calls: int = 0
    moves: int = 0
    time: int = -1
    before: list[Any] = field(default_factory=list)


class Values:
    """Compares parameters between calls through which no gradient can flow.

    Args:
        ledger: whose rows get a note.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._rows: dict[tuple[int, int], _Row] = {}  # by generation of the ledger, and number
        self._time = 0
        self._has_gradients = False

    def passes(self) -> None:
        """A backward pass begins."""
        self._time += 1
        self._has_gradients = True

    def steps(self) -> None:
        """An optimiser's step; what it takes without a backward pass since its last one is no gradient."""
        self._time += self._has_gradients
        self._has_gradients = False

    def loads(self) -> None:
        """A module's state was loaded."""
        self._time += 1

    def read(self, row: int, parameters: Callable[[], Iterable[Tensor]]) -> None:
        """A call of a row, of whose value there are no gradients.

        Args:
            row: of the ledger.
            parameters: those of the networks around the call.
        """
        seen = self._rows.setdefault((self._ledger.generation, row), _Row())
        seen.calls += 1
        if seen.calls > LOOKS and seen.calls % EVERY:
            return
        is_alone = seen.time == self._time
        seen.moves = seen.moves + any(map(is_changed, seen.before)) if is_alone else 0
        seen.time = self._time
        seen.before = [known for p in parameters() if (known := remembered(TensorWeakRef(p))) is not None]
        if seen.moves == MOVES and "note" not in self._ledger.rows[row]:
            self._ledger.add(row, note=VALUES)
