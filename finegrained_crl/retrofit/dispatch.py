"""What happens at each call of a classification loss in the running program: find the site, decide, replace or leave,
count.

The hooks below are the statements that `injection` puts in front of PyTorch's functions. A hook that returns None lets
PyTorch's own body run, so that a loss that is left, refused or fails is computed, and fails, exactly as without us.
"""

from __future__ import annotations

import contextlib
import os
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from finegrained_crl.retrofit.chosen import Place
from finegrained_crl.retrofit.construction import Constructions
from finegrained_crl.retrofit.decision import Facts, decide
from finegrained_crl.retrofit.frames import COMPILED, Frames
from finegrained_crl.retrofit.guard import holds
from finegrained_crl.retrofit.ledger import Ledger
from finegrained_crl.retrofit.measure import measure
from finegrained_crl.retrofit.proof import doubt
from finegrained_crl.retrofit.replacement import Replacement
from finegrained_crl.retrofit.settings import Settings
from finegrained_crl.retrofit.site_facts import Found, look_around

COMPILE_REASON = "inside torch.compile, whose traced code is not changed; switch compilation off to replace it"
FUSED_REASON = "linear_cross_entropy is fused with the classifier: it has no per-sample cross-entropy to start from"
PLAIN = (Tensor, nn.Parameter)


@dataclass
class Known:
    """A chain of calls that was seen before: its row, and what is to be done."""

    row: int
    replace: bool
    found: Found
    reason: str
    paused: int = -1  # row of the calls that its guard, or the model's eval mode, keeps from being replaced
    measured: bool = False


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
        self._known: dict[tuple[tuple[int, ...], str], Known] = {}
        self._generation = ledger.generation
        self._inside = threading.local()
        self.base: FrameType | None = None  # of a `with retrofit():`

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
    ) -> Tensor | None:
        """The hook of `F.cross_entropy`."""
        reduction = _reduction(size_average, reduce, reduction)
        return self._at_site(
            "cross_entropy",
            input,
            target,
            lambda z, y, how: self.replacement.on_logits(z, y, weight, ignore_index, how, label_smoothing),
            lambda z, y, how: F.cross_entropy(
                z, y, weight, ignore_index=ignore_index, reduction=how, label_smoothing=label_smoothing
            ),
            reduction,
            (weight, ignore_index, label_smoothing),
        )

    def nll_loss(
        self,
        input: Tensor,
        target: Tensor,
        weight: Tensor | None,
        size_average: bool | None,
        ignore_index: int,
        reduce: bool | None,
        reduction: str,
    ) -> Tensor | None:
        """The hook of `F.nll_loss`, whose input must prove to be a log_softmax."""
        return self._at_site(
            "nll_loss",
            input,
            target,
            lambda z, y, how: self.replacement.on_log_probabilities(z, y, weight, ignore_index, how),
            lambda z, y, how: F.nll_loss(z, y, weight, ignore_index=ignore_index, reduction=how),
            _reduction(size_average, reduce, reduction),
            (weight, ignore_index, 0.0),
        )

    def smoothed(self, module: Any, x: Tensor, target: Tensor) -> Tensor | None:
        """The hook of timm's `LabelSmoothingCrossEntropy.forward`, a mean of smoothed cross-entropies."""
        smoothing = float(module.smoothing)
        return self._timm(
            "LabelSmoothingCrossEntropy",
            x,
            target,
            smoothing,
            "" if x.dim() == 2 else f"logits of {x.dim()} axes, not 2",
        )

    def soft_target(self, module: Any, x: Tensor, target: Tensor) -> Tensor | None:
        """The hook of timm's `SoftTargetCrossEntropy.forward`, cross-entropy towards probabilities."""
        fits = x.dim() == 2 and x.shape == target.shape
        problem = (
            "" if fits else f"logits {tuple(x.shape)} and targets {tuple(target.shape)} are not two tables of one shape"
        )
        return self._timm("SoftTargetCrossEntropy", x, target, 0.0, problem)

    def linear(self, *_: Any) -> None:
        """The hook of the fused `F.linear_cross_entropy`, which has no per-sample cross-entropy to start from."""
        if (chain := self.frames.chain(sys._getframe(2))) is not None:
            self._refused(chain, "linear_cross_entropy", FUSED_REASON)

    def _timm(self, name: str, x: Tensor, target: Tensor, smoothing: float, problem: str) -> Tensor | None:
        return self._at_site(
            name,
            x,
            target,
            lambda z, y, how: self.replacement.on_logits(z, y, None, -100, how, smoothing),
            lambda z, y, how: F.cross_entropy(z, y, reduction=how, label_smoothing=smoothing),
            "mean",
            (None, -100, smoothing),
            problem,
            depth=4,
        )

    def _at_site(
        self,
        loss: str,
        input: Tensor,
        target: Tensor,
        ours: Callable[[Tensor, Tensor, str], Tensor],
        theirs: Callable[[Tensor, Tensor, str], Tensor],
        reduction: str,
        options: tuple[Tensor | None, int, float],
        problem: str = "",
        depth: int = 3,
    ) -> Tensor | None:
        frame = sys._getframe(depth)  # above this, the hook and PyTorch's function
        chain = self.frames.chain(frame)
        if chain is None or getattr(self._inside, "busy", False):
            return None
        if _is_traced(input):
            self._refused_in_compile(loss)
            return None
        if self._generation != self.ledger.generation:  # a fork: its rows are new
            self._known, self._generation = {}, self.ledger.generation
        decided = self._known.get((chain, loss))
        if decided is None:
            decided = self._looked_at(chain, loss, frame, problem)
        if decided.paused >= 0 and not self._trains_now(decided, frame):
            self.ledger.count(decided.paused)
            self._watched(decided, theirs, input, target, reduction)
            return None
        if not decided.replace or self.settings.mode == "watch":
            self.ledger.count(decided.row)
            self._watched(decided, theirs, input, target, reduction)
            return None
        if loss == "nll_loss" and (why := _doubt(input)):
            self._refuse(decided, loss, why)
            return None
        return self._replaced(decided, loss, input, target, ours, theirs, reduction, options)

    def _replaced(
        self,
        known: Known,
        loss: str,
        input: Tensor,
        target: Tensor,
        ours: Callable[[Tensor, Tensor, str], Tensor],
        theirs: Callable[[Tensor, Tensor, str], Tensor],
        reduction: str,
        options: tuple[Tensor | None, int, float],
    ) -> Tensor | None:
        try:
            with self._computing():
                value = ours(input, target, reduction)
        except Exception as error:
            if type(error).__module__ == "torch.utils.checkpoint":
                raise  # how recomputation stops early, and nothing that failed
            # PyTorch's body runs next: where the program itself is wrong, it raises what it always raised.
            self._refuse(
                known,
                loss,
                f"{self.replacement.name} can't be computed here: {type(error).__name__}: {str(error)[:200]}",
            )
            return None
        self.ledger.count(known.row)
        if not known.measured:
            known.measured = True
            self._measure(known, loss, input, target, ours, theirs, reduction, options)
        self._write_down(known, value)
        return value

    @contextlib.contextmanager
    def _computing(self) -> Iterator[None]:
        """While the replacement computes, no call is a site: tensor subclasses and function modes enter it again."""
        before = getattr(self._inside, "busy", False)
        self._inside.busy = True
        try:
            yield
        finally:
            self._inside.busy = before

    def _measure(
        self,
        known: Known,
        loss: str,
        input: Tensor,
        target: Tensor,
        ours: Any,
        theirs: Any,
        reduction: str,
        options: Any,
    ) -> None:
        if "first_loss" in self.ledger.rows[known.row]:
            return
        gain = (self.settings.alpha, self.settings.beta) if self.replacement.is_crl else None
        axis = min(input.dim() - 1, 1)
        if loss == "nll_loss":
            ours, theirs = (_of_logits(each, axis) for each in (ours, theirs))
        scores = input.float() if torch.is_autocast_enabled(input.device.type) else input
        try:
            measured = self._apart(lambda: measure(scores, target, ours, theirs, reduction, gain, options), scores)
        except Exception as error:
            measured = {"not_measured": f"{type(error).__name__}: {str(error)[:200]}"}
        self.ledger.add(known.row, **measured)

    def _apart(self, measured: Callable[[], dict[str, Any]], scores: Tensor) -> dict[str, Any]:
        """Run in a thread of its own: what the program has switched on around its loss is per thread, and must not see
        our batch.

        Activation checkpointing counts the tensors that are saved, selective checkpointing and profilers every
        operation.
        """
        found: dict[str, Any] = {}
        stream = torch.cuda.current_stream(scores.device) if scores.is_cuda else None

        def work() -> None:
            self._inside.busy = True
            try:
                with torch.cuda.stream(stream):
                    found.update(measured())
            except Exception as error:
                found["not_measured"] = f"{type(error).__name__}: {str(error)[:200]}"

        thread = threading.Thread(target=work, name="fgcrl-retrofit")
        thread.start()
        thread.join()
        return found

    def _looked_at(self, chain: tuple[int, ...], loss: str, frame: FrameType, problem: str) -> Known:
        try:
            return self._first_sight(chain, loss, frame, problem)
        except Exception as error:  # whatever is odd about a place, the program goes on as it would without us
            site = Found(Facts(self.frames.place_of(frame)), "", 0)
            why = f"the place could not be judged ({type(error).__name__}: {str(error)[:200]}); please report this"
            decided = self._known[(chain, loss)] = Known(self._row(site, loss, "refuse", why), False, site, why)
            return decided

    def _first_sight(self, chain: tuple[int, ...], loss: str, frame: FrameType, problem: str) -> Known:
        if problem == "" and self.frames.frames(frame)[:1] and self.frames.frames(frame)[0][0] == COMPILED:
            problem = COMPILE_REASON
        if frame.f_code.co_name == "linear_cross_entropy":
            problem = FUSED_REASON
        site = look_around(self.frames, frame, loss, self.constructions, self.settings.choice, problem, self.base)
        action, reason = decide(site.facts, self.settings.choice)
        decided = self._known[(chain, loss)] = Known(
            self._row(site, loss, action, reason), action == "replace", site, reason
        )
        if decided.replace and (site.guards or site.module_depth >= 0):
            why = "evaluation: " + (
                " and ".join(site.guard_texts) + " did not hold" if site.guards else "the model is in eval mode"
            )
            decided.paused = self._row(site, loss, "leave", why)
        return decided

    def _row(self, found: Found, loss: str, action: str, reason: str) -> int:
        facts = found.facts
        return self.ledger.row(
            "call", site=str(facts.place), column=found.column,
            function=facts.place.function, loss=loss, expression=found.expression,
            role="validation" if facts.verdict == "eval" else facts.role, action=action, reason=reason,
            built=[str(p) for p in facts.built], callers=[str(p) for p in facts.callers[:3]],
        )  # fmt: skip

    def _refuse(self, known: Known, loss: str, why: str) -> None:
        """Count this call as refused; the next one at the same site is tried again."""
        self.ledger.count(self._row(known.found, loss, "refuse", why))

    def _refused(self, chain: tuple[int, ...], loss: str, why: str) -> None:
        decided = self._known.get((chain, loss)) or self._first_sight(chain, loss, sys._getframe(3), why)
        self.ledger.count(decided.row)

    def _refused_in_compile(self, loss: str) -> None:
        """Tracing runs our hook with stand-ins for tensors; the user's line is known to the tracer alone."""
        context = torch._guards.TracingContext
        stack = context.extract_stack() if context.try_get() else None
        last = next((s for s in reversed(stack or []) if not s.filename.startswith(self.frames._torch)), None)
        place = (
            Place(self.frames.name_of(last.filename), last.lineno or 0, last.name) if last else Place("<compiled>", 0)
        )
        row = self.ledger.row(
            "call", site=str(place), column=0, function=place.function,
            loss=loss, expression="", role="class", action="refuse",
            reason=COMPILE_REASON, built=[], callers=[],
        )  # fmt: skip
        self.ledger.count(row)

    def _trains_now(self, known: Known, frame: FrameType) -> bool:
        frames = self.frames.frames(frame)
        for depth, test in known.found.guards:
            at = frames[depth][1]
            if not holds(test, {**at.f_globals, **at.f_locals}):
                return False
        if known.found.module_depth >= 0:
            return bool(getattr(frames[known.found.module_depth][1].f_locals.get("self"), "training", True))
        return True

    def _watched(self, known: Known, theirs: Any, input: Tensor, target: Tensor, reduction: str) -> None:
        """In watch mode, note what the untouched loss gives where the run will replace it; then let PyTorch compute
        it.
        """
        if self.settings.mode == "watch" and known.replace:
            with torch.no_grad():
                self._write_down(known, theirs(input.detach(), target, reduction))

    def _write_down(self, known: Known, value: Tensor) -> None:
        """With --verify: append the value's bits, and end the process after the asked number of steps."""
        if not self.settings.steps:
            return
        values = self.ledger.rows[known.row].setdefault("values", [])
        values.append([struct.pack(">d", v).hex() for v in value.detach().double().flatten()[:64].tolist()])
        self.ledger.save()
        if len(values) >= self.settings.steps:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(0)


def _reduction(size_average: bool | None, reduce: bool | None, reduction: str) -> str:
    if size_average is None and reduce is None:
        return reduction
    return str(nn._reduction.legacy_get_string(size_average, reduce, emit_warning=False))


def _doubt(input: Tensor) -> str:
    try:
        return doubt(input)
    except Exception as error:
        return f"whether its input is a log_softmax can't be told ({type(error).__name__})"


def _is_traced(input: Tensor) -> bool:
    return type(input) not in PLAIN and type(input).__module__.startswith(("torch._subclasses", "torch.fx"))


def _of_logits(loss: Callable[[Tensor, Tensor, str], Tensor], axis: int) -> Callable[[Tensor, Tensor, str], Tensor]:
    return lambda z, y, how: loss(z.log_softmax(axis), y, how)
