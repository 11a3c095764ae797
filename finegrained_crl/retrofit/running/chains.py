"""What is to be done at a chain of callers: judged when it is first seen, and asked again at each call of it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from types import FrameType

import torch

from finegrained_crl.retrofit.account.streams import Stream
from finegrained_crl.retrofit.running.builds import Constructions
from finegrained_crl.retrofit.running.calls import Call
from finegrained_crl.retrofit.running.frames import COMPILED, Frames
from finegrained_crl.retrofit.running.guard import holds
from finegrained_crl.retrofit.running.learned import Learned
from finegrained_crl.retrofit.running.look import Found, look_around
from finegrained_crl.retrofit.sites.decision import Facts, asked_for_evaluation, decide
from finegrained_crl.retrofit.sites.settings import Settings

COMPILE_REASON = "inside torch.compile, whose traced code is not changed; switch compilation off to replace it"
FUSED_REASON = "linear_cross_entropy is fused with the classifier: it has no per-sample cross-entropy to start from"
VMAP_REASON = "inside torch.vmap, where no gradient can be watched; move the loss out of it to replace it"
NO_GRADIENT = "evaluation: no gradient can flow through it (grad mode is off, or the logits need none)"
FORWARD_MODE = (
    "evaluation: inside torch.func.jvp, which no backward pass follows; what becomes of its result is not seen"
)
SHAPES_ONLY = "evaluation: on the meta device, which computes shapes and no values"
OWN_GRADIENT = "inside an autograd function of the program, which writes its gradient by hand; edit it by hand"


@dataclass
class Chain:
    """A chain of calls that was seen before: what is to be done, and the rows that it is counted in."""

    loss: str
    site: Found
    replace: bool
    reason: str
    takes_evaluation: bool
    streams: dict[tuple[str, str], Stream] = field(default_factory=dict)  # (action, reason) -> its row and values
    has_own_gradient: bool = False  # inside the forward of an autograd function
    checkpoint: str = ""  # "first" or "again": inside activation checkpointing
    measured: bool = False
    replacing: Stream | None = None  # the stream of its replaced calls, at hand

    @property
    def spot(self) -> tuple[str, int]:
        """Line and column of the call, which several chains of callers may share."""
        return str(self.site.facts.place), self.site.column


class Chains:
    """All chains of one process.

    Args:
        settings: what to replace.
        frames: which frames are the program's.
        constructions: where criteria were built.
        learned: what was observed before, and stands.
    """

    def __init__(self, settings: Settings, frames: Frames, constructions: Constructions, learned: Learned) -> None:
        self.settings, self.frames = settings, frames
        self.constructions, self.learned = constructions, learned
        self.base: FrameType | None = None  # of a `with retrofit():`
        self._misused: dict[tuple[str, int], str] = {}  # spots whose value turned out to be an ingredient
        self._by_key: dict[tuple[tuple[int, ...], str, int], Chain] = {}

    def forget(self) -> None:
        """A fork has rows of its own, and begins without chains."""
        self._by_key = {}

    def of(self, key: tuple[int, ...], call: Call, frame: FrameType) -> Chain:
        """The chain of a call.

        Args:
            key: of the frames, from `Frames.chain`.
            call: of a loss.
            frame: that it stands in.
        """
        place = key, call.loss, threading.get_ident()  # two threads may train a network each
        chain = self._by_key.get(place)
        if chain is None:
            chain = self._by_key[place] = self._looked_at(call, frame)
        return chain

    def refuse(self, misused: Chain, why: str) -> None:
        """From here on the calls of a line stay the program's own."""
        self._misused[misused.spot] = why
        for chain in self._by_key.values():
            if chain.spot == misused.spot:
                chain.replace, chain.site.action, chain.reason = False, "refuse", why

    def action_now(self, chain: Chain, call: Call, frame: FrameType) -> tuple[str, str]:
        """What is to be done with this one call, and why: a site that is replaced may serve evaluation, too."""
        if not chain.replace:
            return chain.site.action, chain.reason
        evaluation = self._evaluates(chain, call, frame)
        if self.settings.phase == "eval":
            return ("replace", chain.reason) if evaluation else ("leave", "training; --phase eval")
        if evaluation and not chain.takes_evaluation:
            return ("refuse" if evaluation in (VMAP_REASON, OWN_GRADIENT) else "leave"), evaluation
        return "replace", chain.reason

    def _looked_at(self, call: Call, frame: FrameType) -> Chain:
        try:
            return self._first_sight(call, frame)
        except Exception as error:  # whatever is odd about a place, the program goes on as it would without us
            why = f"the place could not be judged ({type(error).__name__}: {str(error)[:200]}); please report this"
            site = Found(Facts(self.frames.place_of(frame)), "", 0, action="refuse")
            return Chain(call.loss, site, False, why, False)

    def _first_sight(self, call: Call, frame: FrameType) -> Chain:
        problem, choice = call.problem, self.settings.choice
        innermost = self.frames.frames(frame)[:1]
        if not problem and innermost and innermost[0][0] == COMPILED:
            problem = COMPILE_REASON
        if frame.f_code.co_name == "linear_cross_entropy":
            problem = FUSED_REASON
        site = look_around(self.frames, frame, call, self.constructions, choice, problem, self.base)
        site = self.learned.applied(site, call.loss)
        if why := self._misused.get((str(site.facts.place), site.column)):
            site = replace(site, facts=replace(site.facts, problem=why))
        site.action, reason = decide(site.facts, choice)
        takes_evaluation = asked_for_evaluation(site.facts, choice)
        chain = Chain(call.loss, site, site.action == "replace", reason, takes_evaluation)
        chain.checkpoint = self.frames.checkpoint(frame)
        chain.has_own_gradient = self.frames.in_autograd_function(frame)
        return chain

    def _evaluates(self, chain: Chain, call: Call, frame: FrameType) -> str:
        """Why this call is one of evaluation; "" where it trains."""
        if call.input.is_meta:
            return SHAPES_ONLY
        if chain.site.facts.verdict == "eval":
            return f"evaluation: {chain.site.facts.why}"
        if (chain.site.guards or chain.site.module_depth >= 0) and not self._trains_now(chain, call, frame):
            if chain.site.guards:
                return "evaluation: " + " and ".join(chain.site.guard_texts) + " did not hold"
            return "evaluation: the model is in eval mode"
        if not call.can_train and chain.checkpoint != "first":
            if chain.has_own_gradient:
                return OWN_GRADIENT
            if torch._C._functorch.is_gradtrackingtensor(call.input):
                return FORWARD_MODE
            is_vmapped = torch.is_grad_enabled() and torch._C._functorch.is_functorch_wrapped_tensor(call.input)
            return VMAP_REASON if is_vmapped else NO_GRADIENT
        return ""

    def _trains_now(self, chain: Chain, call: Call, frame: FrameType) -> bool:
        frames = self.frames.frames(frame)
        for depth, test in chain.site.guards:
            at = frames[depth][1]
            if not holds(test, {**at.f_globals, **at.f_locals}, can_train=call.can_train):
                return False
        if chain.site.module_depth >= 0:
            model = frames[chain.site.module_depth][1].f_locals.get("self")
            return bool(getattr(model, "training", True))
        return True
