"""What happens at each call of a classification loss in the running program: find the site, decide, replace or leave,
count, and watch what becomes of the value.

The hooks are the statements that `injection` puts in front of PyTorch's functions. Where they give no value, PyTorch's
own body runs, so that a loss that is left, refused or fails is computed, and fails, exactly as without us.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn

from finegrained_crl.retrofit.account.arrival import Sample, stand_at_logits
from finegrained_crl.retrofit.account.flows import Account, Stream
from finegrained_crl.retrofit.account.ledger import Ledger
from finegrained_crl.retrofit.account.misfit import Finding
from finegrained_crl.retrofit.losses.log_softmax import doubt
from finegrained_crl.retrofit.losses.replacement import Replacement
from finegrained_crl.retrofit.running.bits import Bits
from finegrained_crl.retrofit.running.builds import Constructions
from finegrained_crl.retrofit.running.calls import Call, reduction_of
from finegrained_crl.retrofit.running.first_batch import FirstBatch
from finegrained_crl.retrofit.running.frames import COMPILED, Frames
from finegrained_crl.retrofit.running.guard import holds
from finegrained_crl.retrofit.running.learned import Learned
from finegrained_crl.retrofit.running.look import Found, look_around
from finegrained_crl.retrofit.sites.decision import Facts, asked_for_evaluation, decide
from finegrained_crl.retrofit.sites.place import Place
from finegrained_crl.retrofit.sites.settings import Settings

COMPILE_REASON = "inside torch.compile, whose traced code is not changed; switch compilation off to replace it"
FUSED_REASON = "linear_cross_entropy is fused with the classifier: it has no per-sample cross-entropy to start from"
VMAP_REASON = "inside torch.vmap, where no gradient can be watched; move the loss out of it to replace it"
NO_GRADIENT = "evaluation: no gradient can flow through it (grad mode is off, or the logits need none)"
SHAPES_ONLY = "evaluation: on the meta device, which computes shapes and no values"
PLAIN = (Tensor, nn.Parameter)
OWN_GRADIENT = "inside an autograd function of the program, which writes its gradient by hand; edit it by hand"
Token = tuple[Stream, Sample | None]  # what is watched, of a call that PyTorch's own body computes
Result = tuple[Tensor | None, Token | None]
NOTHING: Result = (None, None)


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


class Dispatcher:
    """The state behind the hooks: one per process (its forks included), or per `with retrofit()`.

    Args:
        settings: what to replace, by what.
        ledger: where it is written down.
    """

    def __init__(self, settings: Settings, ledger: Ledger) -> None:
        self.settings, self.ledger = settings, ledger
        self.frames = Frames(Path(settings.root))
        self.constructions = Constructions(self.frames, ledger)
        self.replacement = Replacement(settings.loss, settings.alpha, settings.beta)
        self.account = Account(ledger)
        self.account.unseen = self._unseen
        self.base: FrameType | None = None  # of a `with retrofit():`
        self._inside = threading.local()
        self._bits = Bits(settings, ledger)
        self._first = FirstBatch(settings, self.replacement, self._computing)
        self._learned = Learned(settings, ledger, self.account)
        self._misused: dict[tuple[str, int], str] = {}  # sites whose value turned out to be an ingredient
        self._start_afresh()

    def _start_afresh(self) -> None:
        self._chains: dict[tuple[tuple[int, ...], str], Chain] = {}
        self._first_passes: dict[tuple[str, int, str], int] = {}  # of reentrant checkpoints: site and action -> row
        self._generation = self.ledger.generation

    def cross_entropy(
        self,
        input: Tensor,
        target: Tensor,
        weight: Tensor | None,
        size_average: bool | None,
        ignore_index: int,
        reduce: bool | None,
        reduction: str,
        label_smoothing: float,
    ) -> Result:
        """The hook of `F.cross_entropy`."""
        how = reduction_of(size_average, reduce, reduction)
        call = Call("cross_entropy", input, target, weight, ignore_index, how, label_smoothing)
        return self._at_site(call, sys._getframe(2))

    def nll_loss(
        self,
        input: Tensor,
        target: Tensor,
        weight: Tensor | None,
        size_average: bool | None,
        ignore_index: int,
        reduce: bool | None,
        reduction: str,
    ) -> Result:
        """The hook of `F.nll_loss`, whose input must prove to be a log_softmax."""
        how = reduction_of(size_average, reduce, reduction)
        return self._at_site(Call("nll_loss", input, target, weight, ignore_index, how), sys._getframe(2))

    def smoothed(self, module: Any, x: Tensor, target: Tensor) -> Result:
        """The hook of timm's `LabelSmoothingCrossEntropy.forward`, a mean of smoothed cross-entropies."""
        problem = "" if x.dim() == 2 else f"logits of {x.dim()} axes, not 2"
        smoothing = float(module.smoothing)
        call = Call("LabelSmoothingCrossEntropy", x, target, smoothing=smoothing, problem=problem)
        return self._at_site(call, sys._getframe(2))

    def soft_target(self, module: Any, x: Tensor, target: Tensor) -> Result:
        """The hook of timm's `SoftTargetCrossEntropy.forward`, cross-entropy towards probabilities."""
        problem = ""
        if x.dim() != 2 or x.shape != target.shape:
            problem = f"logits {tuple(x.shape)} and targets {tuple(target.shape)} are not two tables of one shape"
        return self._at_site(Call("SoftTargetCrossEntropy", x, target, problem=problem), sys._getframe(2))

    def linear(self, *_: Any) -> None:
        """The hook of the fused `F.linear_cross_entropy`, which has no per-sample cross-entropy to start from."""
        frame = sys._getframe(2)
        key = self.frames.chain(frame)
        if key is None:
            return
        call = Call("linear_cross_entropy", torch.empty(0), torch.empty(0), problem=FUSED_REASON)
        chain = self._chains.get((key, call.loss)) or self._looked_at(key, call, frame)
        self._left(chain, "refuse" if chain.replace else "leave", chain.reason)

    def backward(self, roots: Any, *_: Any) -> None:
        """The hook of backward passes; our own measurements are none of the program's."""
        if not getattr(self._inside, "busy", False):
            self.account.backward_starts(roots)

    def grad(self, roots: Any, *_: Any) -> None:
        """The hook of `torch.autograd.grad`, which returns gradients and leaves none in parameters."""
        if not getattr(self._inside, "busy", False):
            self.account.backward_starts(roots, accumulates=False)

    def computed(self, value: Any, token: Token | None) -> Any:
        """After PyTorch's own body: the value of a call that was left is watched, too."""
        if token is not None and isinstance(value, Tensor):
            self._watch(token[0], value, token[1])
        return value

    def _at_site(self, call: Call, frame: FrameType) -> Result:
        if getattr(self._inside, "busy", False):
            return NOTHING
        key = self.frames.chain(frame)
        if key is None:
            return NOTHING
        if _is_traced(call.input):
            self._refused_in_compile(call.loss)
            return NOTHING
        if self._generation != self.ledger.generation:  # a fork: its rows are new
            self._start_afresh()
        chain = self._chains.get((key, call.loss)) or self._looked_at(key, call, frame)
        action, reason = self._action_now(chain, call, frame)
        if action != "replace":
            return self._left(chain, action, reason, call)
        if self.settings.mode != "run":
            untouched = self._left(chain, "replace", chain.reason, call)
            self._bits.watched(chain.streams["replace", chain.reason], call)
            return untouched
        if call.loss == "nll_loss" and (why := _doubt(call.input)):
            return self._left(chain, "refuse", why, call)
        return self._replaced(chain, call)

    def _action_now(self, chain: Chain, call: Call, frame: FrameType) -> tuple[str, str]:
        """What is to be done with this one call: a site that is replaced may serve evaluation, too."""
        if not chain.replace:
            return chain.site.action, chain.reason
        evaluation = self._evaluates(chain, call, frame)
        if self.settings.phase == "eval":
            return ("replace", chain.reason) if evaluation else ("leave", "training; --phase eval")
        if evaluation and not chain.takes_evaluation:
            return ("refuse" if evaluation in (VMAP_REASON, OWN_GRADIENT) else "leave"), evaluation
        return "replace", chain.reason

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
            is_vmapped = torch.is_grad_enabled() and torch._C._functorch.is_functorch_wrapped_tensor(call.input)
            return VMAP_REASON if is_vmapped else NO_GRADIENT
        return ""

    def _replaced(self, chain: Chain, call: Call) -> Result:
        self._inside.busy = True  # tensor subclasses and function modes enter PyTorch's function again
        try:
            value = call.replaced(self.replacement)
        except Exception as error:
            if type(error).__module__ == "torch.utils.checkpoint":
                raise  # how recomputation stops early, and nothing that failed
            # PyTorch's body runs next: where the program itself is wrong, it raises what it always raised.
            why = f"{self.replacement.name} can't be computed here: {type(error).__name__}: {str(error)[:200]}"
            return self._left(chain, "refuse", why, call)
        finally:
            self._inside.busy = False
        stream = chain.replacing
        if stream is None:
            stream = self._counted(chain, "replace", chain.reason)
            chain.replacing = stream if not chain.checkpoint else None
        else:
            self.ledger.count(stream.row)
        if not chain.measured and chain.checkpoint != "again":
            chain.measured = True
            if "first_loss" not in self.ledger.rows[stream.row]:
                self.ledger.add(stream.row, **self._first.measured(call))
        if value.requires_grad:
            self._watch(stream, value, self._sampled(chain, stream, call, self.settings.beta))
        if self.settings.steps:
            self._bits.write_down(stream.row, value)
        return value, None

    def _left(self, chain: Chain, action: str, reason: str, call: Call | None = None) -> Result:
        stream = self._counted(chain, action, reason)
        can_train = call is not None and call.can_train
        self._learned.called(can_train=can_train)
        if call is None or not can_train:
            return NOTHING
        return None, (stream, self._sampled(chain, stream, call, 0.0))

    def _watch(self, stream: Stream, value: Tensor, sample: Sample | None) -> None:
        try:
            self.account.watch(stream, value, sample)
        except Exception as error:  # an odd tensor must not stop the program; the judge sees no gradient there
            self.ledger.add(stream.row, note=f"its value can't be watched ({type(error).__name__})")

    def _sampled(self, chain: Chain, stream: Stream, call: Call, beta: float) -> Sample | None:
        """Keep rows of this call for the proof at its backward pass, on the first calls and then seldom."""
        stream.calls += 1
        if not _is_sampled(stream.calls) or not self.replacement.is_crl or chain.checkpoint:
            return None
        with contextlib.suppress(Exception), torch.no_grad():
            crl = (self.settings.alpha, beta)
            tell = lambda finding: self._proven(stream, finding)  # noqa: E731
            sample = Sample(call.input, call.target, call.options, crl, stream.history, tell)
            stand_at_logits(call.input, sample)
            return sample
        return None

    def _proven(self, stream: Stream, finding: Finding) -> None:
        row = self.ledger.rows[stream.row]
        worst = max(finding.misfit, row.get("misfit", 0.0))
        self.ledger.add(stream.row, misfit=worst, proven=row.get("proven", 0) + 1, proof_rows=finding.rows)
        if finding.kind == "refuse":
            stream.refuse(finding.text)
        elif finding.text:
            self.ledger.add(stream.row, note=finding.text)

    def _ingredient(self, chain: Chain, row: int, text: str) -> None:
        """The value is not used as a loss: say so at once, and go on with the program's own from here."""
        if "ingredient" in self.ledger.rows[row]:
            return
        self.ledger.add(row, ingredient=text)
        if not chain.replace or self.settings.mode != "run":
            return
        place = chain.site.facts.place
        after = "goes on, as --lenient asks" if self.settings.lenient else "it stays the program's own from here on"
        print(f"retrofit: {place}: {text}; {after}", file=sys.stderr, flush=True)
        if self.settings.lenient:
            return
        self._misused[str(place), chain.site.column] = text
        for other in self._chains.values():
            if (str(other.site.facts.place), other.site.column) == (str(place), chain.site.column):
                other.replace, other.site.action, other.reason = False, "refuse", text

    @contextlib.contextmanager
    def _computing(self) -> Iterator[None]:
        """While our own measurements compute, no call is a site."""
        before = getattr(self._inside, "busy", False)
        self._inside.busy = True
        try:
            yield
        finally:
            self._inside.busy = before

    def _looked_at(self, key: tuple[int, ...], call: Call, frame: FrameType) -> Chain:
        try:
            chain = self._first_sight(call, frame)
        except Exception as error:  # whatever is odd about a place, the program goes on as it would without us
            why = f"the place could not be judged ({type(error).__name__}: {str(error)[:200]}); please report this"
            site = Found(Facts(self.frames.place_of(frame)), "", 0, action="refuse")
            chain = Chain(call.loss, site, False, why, False)
        self._chains[key, call.loss] = chain
        return chain

    def _first_sight(self, call: Call, frame: FrameType) -> Chain:
        problem, choice = call.problem, self.settings.choice
        innermost = self.frames.frames(frame)[:1]
        if not problem and innermost and innermost[0][0] == COMPILED:
            problem = COMPILE_REASON
        if frame.f_code.co_name == "linear_cross_entropy":
            problem = FUSED_REASON
        site = look_around(self.frames, frame, call, self.constructions, choice, problem, self.base)
        site = self._learned.applied(site, call.loss)
        if why := self._misused.get((str(site.facts.place), site.column)):
            site = replace(site, facts=replace(site.facts, problem=why))
        site.action, reason = decide(site.facts, choice)
        takes_evaluation = asked_for_evaluation(site.facts, choice)
        chain = Chain(call.loss, site, site.action == "replace", reason, takes_evaluation)
        chain.checkpoint = self.frames.checkpoint(frame)
        chain.has_own_gradient = self.frames.in_autograd_function(frame)
        return chain

    def _counted(self, chain: Chain, action: str, reason: str) -> Stream:
        """The stream of calls with this outcome, one call longer; recomputed calls are not counted again."""
        stream = chain.streams.get((action, reason))
        if stream is None:
            place = (str(chain.site.facts.place), chain.site.column, action)
            if chain.checkpoint == "again" and place in self._first_passes:
                row = self._first_passes[place]  # whose value these gradients are of
            else:
                row = self._row(chain, action, reason)
            if chain.checkpoint == "first":
                self._first_passes[place] = row
            is_replaced = action == "replace" and self.settings.mode == "run"
            stream = Stream(row, lambda text: self._ingredient(chain, row, text), is_replaced)
            chain.streams[action, reason] = stream
        if chain.checkpoint != "again":
            self.ledger.count(stream.row)
        return stream

    def _row(self, chain: Chain, action: str, reason: str) -> int:
        site, facts, loss = chain.site, chain.site.facts, chain.loss
        is_evaluation = facts.verdict == "eval" or reason.startswith("evaluation: ")
        callers = facts.callers[:3] if self.settings.mode != "learn" else facts.callers[:40]
        return self.ledger.row(
            kind="call", site=str(facts.place), column=site.column,
            function=facts.place.function, loss=loss, expression=site.expression,
            role="validation" if is_evaluation else facts.role, action=action, reason=reason,
            built=[str(p) for p in facts.built], callers=[str(p) for p in callers],
            takes_evaluation=action == "replace" and chain.takes_evaluation,
        )  # fmt: skip

    def _refused_in_compile(self, loss: str) -> None:
        """Tracing runs our hook with stand-ins for tensors; the user's line is known to the tracer alone."""
        context = torch._guards.TracingContext
        stack = context.extract_stack() if context.try_get() else None
        last = next((s for s in reversed(stack or []) if not s.filename.startswith(self.frames._torch)), None)
        place = Place("<compiled>", 0)
        if last is not None:
            place = Place(self.frames.name_of(last.filename), last.lineno or 0, last.name)
        row = self.ledger.row(
            kind="call", site=str(place), column=0, function=place.function,
            loss=loss, expression="", role="class", action="refuse",
            reason=COMPILE_REASON, built=[], callers=[], compiled=True,
        )  # fmt: skip
        self.ledger.count(row)

    def _unseen(self, what: str) -> None:
        """Gradients flow through a classification loss that is no call of a function with a hook."""
        frames = self.frames.frames(sys._getframe(1))
        place = self.frames.place_of(frames[0][1]) if frames else Place("<unknown>", 0)
        row = self.ledger.row(
            kind="call", site=str(place), column=-1, function=place.function, loss="?", expression="", role="class",
            action="refuse", reason=f"this backward pass goes through {what}", built=[], callers=[], unseen=True,
        )  # fmt: skip
        self.ledger.count(row)

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


def _is_sampled(number: int) -> bool:
    """Which calls of a stream are proven: a loss may become another one after a warm-up."""
    return number <= 32 or (number % 10 == 0 if number <= 1000 else number % 100 == 0)


def _doubt(input: Tensor) -> str:
    try:
        return doubt(input)
    except Exception as error:
        return f"whether its input is a log_softmax can't be told ({type(error).__name__})"


def _is_traced(input: Tensor) -> bool:
    return type(input) not in PLAIN and type(input).__module__.startswith(("torch._subclasses", "torch.fx"))
