"""What trains below a backward pass, and is no watched call: by its form, by its gradient, by the layer it trains."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch.autograd.function import BackwardCFunction

from finegrained_crl.retrofit.account.by_gradient import look_at_given, watch_layers, watch_softmaxes
from finegrained_crl.retrofit.account.layers import first_layers_below
from finegrained_crl.retrofit.account.ledger import Ledger
from finegrained_crl.retrofit.account.others import Others
from finegrained_crl.retrofit.account.streams import Follower
from finegrained_crl.retrofit.account.uses import LOGITS, MARK, Uses


@dataclass(frozen=True)
class Start:
    """Of a backward pass.

    Args:
        roots: tensors, or graph edges.
        given: the gradients that it starts from, as far as they are the program's own work.
        goes_on: it goes on with gradients that another pass computed.
        passes: that it stands for; 0 where it is looked at for watched values alone.
    """

    roots: Sequence[Any]
    given: Sequence[Any] = ()
    goes_on: bool = False
    passes: int = 1


class Unseen:
    """Looks at the graph of a pass, and at the gradients that arrive later on.

    Args:
        follower: of what becomes of gradients.
        ledger: where they are counted.
    """

    def __init__(self, follower: Follower, ledger: Ledger) -> None:
        self.others = Others(follower, ledger)
        self.telling: Callable[[], Callable[[str], None]] | None = None  # made at the place of a pass

    def look(self, uses: Uses, start: Start) -> None:
        """Tell what is there besides watched values.

        Args:
            uses: of these, in the graph of the pass.
            start: of the pass.
        """
        if self.telling is None:
            return
        tell = self.telling()
        if uses.unseen:
            tell(uses.unseen)
            return
        hiding = [node for node in uses.nodes if MARK in node.metadata or isinstance(node, BackwardCFunction)]
        behind = first_layers_below(hiding)  # a checkpoint is a function of Python, too
        note = self.others.noting()
        watch_softmaxes(uses.nodes, LOGITS, tell, note)
        if start.goes_on:
            return
        look_at_given(start.roots, start.given, LOGITS, tell, note)
        watch_layers([node for node in uses.nodes if node not in behind], LOGITS, tell, note)
        if start.passes:
            with contextlib.suppress(Exception):  # an odd graph must not stop the program
                self.others.look(uses.nodes, [flow for flow, _ in uses.values], behind, start.roots, start.passes)
