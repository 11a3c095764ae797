"""Gradients of logits, or of features, that a program asks for, and goes on with: `autograd.grad(loss, z)`, and then
`z.backward(gradient)`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

from finegrained_crl.retrofit.account.passes import node_of
from finegrained_crl.retrofit.account.streams import Flow

KEPT = 8  # values, the last ones
NONE: frozenset[int] = frozenset()


class Asked:
    """Knows by number, which keeps no graph alive, the tensors that gradients were asked for."""

    def __init__(self) -> None:
        self._numbers = NONE
        self._flows: deque[tuple[frozenset[int], Flow]] = deque(maxlen=KEPT)

    def starts(self, inputs: Sequence[Any]) -> None:
        """Before a pass; the tensors that it returns gradients of, none where it leaves them in parameters."""
        self._numbers = (
            frozenset(_number(node) for node in map(node_of, inputs) if node is not None) if inputs else NONE
        )

    def passed(self, flow: Flow) -> None:
        """It goes through a watched value."""
        if self._numbers:
            self._flows.append((self._numbers, flow))

    def goes_on(self, roots: Iterable[Any]) -> list[Flow]:
        """The values whose gradients a pass goes on with, which starts from given ones.

        Args:
            roots: of the pass.
        """
        numbers = {_number(node) for node in map(node_of, roots) if node is not None}
        return [flow for asked, flow in self._flows if not asked.isdisjoint(numbers)]


def _number(node: Any) -> int:
    return int(node._sequence_nr())
