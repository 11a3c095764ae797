"""Which backward passes are looked at? The first ones of each kind, and then about every hundredth.

A kind is what the graph looks like at its top: a program whose first stage reconstructs pictures may classify in its
second one, by a loss that is no call of a function with a hook.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

FIRST = 3  # passes of each kind
EVERY = 14
WARM = 64  # passes without a new kind,
STRIDE = 7  # after which only one of so many is told apart, which costs microseconds
TOP = 8  # nodes of the graph that tell kinds apart
KINDS = 256  # told apart at most


def node_of(root: Any) -> Any:
    """The graph node that a backward pass starts from, of a tensor or a graph edge; None for anything else."""
    return root.grad_fn if hasattr(root, "grad_fn") else getattr(root, "node", None)


class Passes:
    """Counts the backward passes of a process by kind."""

    def __init__(self) -> None:
        self._seen: Counter[tuple[type, ...]] = Counter()
        self._without_new = 0

    def due(self, roots: Iterable[Any]) -> int:
        """Count a pass, and tell whether to look at it.

        Args:
            roots: that it starts from.
        Returns:
            how many passes of its kind it stands for; 0: leave it.
        """
        self._without_new += 1
        if self._without_new > WARM and self._without_new % STRIDE:
            return 0
        kind = _kind_of(roots)
        if kind not in self._seen and len(self._seen) >= KINDS:
            kind = ()
        if kind not in self._seen:
            self._without_new = 0
        self._seen[kind] += 1
        if self._seen[kind] <= FIRST:
            return 1
        return EVERY if self._seen[kind] % EVERY == 0 else 0


def _kind_of(roots: Iterable[Any]) -> tuple[type, ...]:
    nodes = [node for root in roots if (node := node_of(root)) is not None][:TOP]
    for node in nodes:  # which grows
        if len(nodes) >= TOP:
            break
        nodes += [child for child, _ in node.next_functions if child is not None]
    return tuple(type(node) for node in nodes[:TOP])
