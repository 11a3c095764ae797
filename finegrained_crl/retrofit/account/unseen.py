"""What classifies below a backward pass, and is no watched call: by its form, or by the gradient that it gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch.autograd.function import BackwardCFunction

from finegrained_crl.retrofit.account.by_gradient import look_at_given, watch_layers, watch_softmaxes
from finegrained_crl.retrofit.account.layers import first_layers_below
from finegrained_crl.retrofit.account.uses import LOGITS, MARK, Uses


@dataclass(frozen=True)
class Start:
    """Of a backward pass.

    Args:
        roots: tensors, or graph edges.
        given: the gradients that it starts from, as far as they are the program's own work.
        goes_on: it goes on with gradients that another pass computed.
    """

    roots: Sequence[Any]
    given: Sequence[Any] = ()
    goes_on: bool = False


def tell_unseen(uses: Uses, start: Start, tell: Callable[[str], None]) -> None:
    """Tell at once what the graph shows, and later on what the gradients that arrive show.

    Args:
        uses: of watched values, in the graph of the pass.
        start: of the pass.
        tell: takes what is found.
    """
    if uses.unseen:
        tell(uses.unseen)
        return
    watch_softmaxes(uses.nodes, LOGITS, tell)
    if not start.goes_on:
        look_at_given(start.roots, start.given, LOGITS, tell)
        hiding = [node for node in uses.nodes if MARK in node.metadata or isinstance(node, BackwardCFunction)]
        watched = first_layers_below(hiding)  # a checkpoint is a function of Python, too
        watch_layers([node for node in uses.nodes if node not in watched], LOGITS, tell)
