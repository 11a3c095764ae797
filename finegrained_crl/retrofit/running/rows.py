"""The rows of the ledger that calls are counted in."""

from __future__ import annotations

import sys
from collections.abc import Callable

import torch

from finegrained_crl.retrofit.account.ledger import Ledger
from finegrained_crl.retrofit.running.chains import COMPILE_REASON, Chain
from finegrained_crl.retrofit.running.frames import Frames
from finegrained_crl.retrofit.sites.place import Place

CALLERS = 3  # of a chain, in a receipt
LEARNED_CALLERS = 40  # where callers are told apart by what they did


def row_of(ledger: Ledger, chain: Chain, action: str, reason: str, *, learns: bool) -> int:
    """The row of a chain's calls with this outcome."""
    site, facts = chain.site, chain.site.facts
    is_evaluation = facts.verdict == "eval" or reason.startswith("evaluation: ")
    callers = facts.callers[: LEARNED_CALLERS if learns else CALLERS]
    return ledger.row(
        kind="call", site=str(facts.place), column=site.column,
        function=facts.place.function, loss=chain.loss, expression=site.expression,
        role="validation" if is_evaluation else facts.role, action=action, reason=reason,
        built=[str(p) for p in facts.built], callers=[str(p) for p in callers],
        takes_evaluation=action == "replace" and chain.takes_evaluation,
    )  # fmt: skip


def count_compiled(ledger: Ledger, frames: Frames, loss: str) -> None:
    """Tracing runs our hook with stand-ins for tensors; the user's line is known to the tracer alone."""
    context = torch._guards.TracingContext
    stack = context.extract_stack() if context.try_get() else None
    last = next((s for s in reversed(stack or []) if not s.filename.startswith(frames.torch_folder)), None)
    place = Place("<compiled>", 0)
    if last is not None:
        place = Place(frames.name_of(last.filename), last.lineno or 0, last.name)
    row = ledger.row(
        kind="call", site=str(place), column=0, function=place.function,
        loss=loss, expression="", role="class", action="refuse",
        reason=COMPILE_REASON, built=[], callers=[], compiled=True,
    )  # fmt: skip
    ledger.count(row)


def unseen_at(ledger: Ledger, frames: Frames) -> Callable[[str], None]:
    """What counts, for the program's place that is running now, a classification loss that is no call of a function
    with a hook and that gradients flow through.
    """
    place = place_now(frames)

    def count(what: str) -> None:
        row = ledger.row(
            kind="call", site=str(place), column=-1, function=place.function, loss="?", expression="", role="class",
            action="refuse", reason=f"this backward pass goes through {what}", built=[], callers=[], unseen=True,
        )  # fmt: skip
        ledger.count(row)

    return count


def place_now(frames: Frames) -> Place:
    """The program's place that is running now."""
    innermost = frames.frames(sys._getframe(1))
    return frames.place_of(innermost[0][1]) if innermost else Place("<unknown>", 0)
