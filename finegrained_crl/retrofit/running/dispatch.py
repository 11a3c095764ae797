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
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn

from finegrained_crl.retrofit.account.arrival import Sample
from finegrained_crl.retrofit.account.flows import Account
from finegrained_crl.retrofit.account.ledger import Ledger
from finegrained_crl.retrofit.account.streams import Stream
from finegrained_crl.retrofit.losses.log_softmax import doubt
from finegrained_crl.retrofit.losses.replacement import Replacement
from finegrained_crl.retrofit.running.bits import Bits
from finegrained_crl.retrofit.running.builds import Constructions
from finegrained_crl.retrofit.running.calls import Call, reduction_of
from finegrained_crl.retrofit.running.chains import FUSED_REASON, Chain, Chains
from finegrained_crl.retrofit.running.first_batch import FirstBatch
from finegrained_crl.retrofit.running.frames import Frames
from finegrained_crl.retrofit.running.learned import Learned
from finegrained_crl.retrofit.running.networks import parameters_around
from finegrained_crl.retrofit.running.proof import Proof
from finegrained_crl.retrofit.running.rows import count_compiled, place_now, row_of, unseen_at
from finegrained_crl.retrofit.sites.settings import Settings

PLAIN = (Tensor, nn.Parameter)
Token = tuple[Stream, Sample | None, Any]  # what is watched, of a call that PyTorch's own body computes
Result = tuple[Tensor | None, Token | None]
NOTHING: Result = (None, None)


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
        self.account.unseen.telling = lambda: unseen_at(ledger, self.frames)
        if settings.mode == "run":
            self.account.unseen.others.place = lambda: place_now(self.frames)
        self._inside = threading.local()
        self._bits = Bits(settings, ledger)
        self._first = FirstBatch(settings, self.replacement, self._computing)
        self._learned = Learned(settings, ledger, self.account)
        self.chains = Chains(settings, self.frames, self.constructions, self._learned)
        self._proof = Proof(settings, ledger, self.account, self.replacement.is_crl, self.chains.refuse)
        self._start_afresh()

    def _start_afresh(self) -> None:
        self.chains.forget()
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
        chain = self.chains.of(key, call, frame)
        self._left(chain, "refuse" if chain.replace else "leave", chain.reason)

    def backward(self, roots: Any, gradients: Any, *_: Any) -> None:
        """The hook of backward passes; our own measurements are none of the program's."""
        if not getattr(self._inside, "busy", False):
            given = gradients if isinstance(gradients, tuple | list) else (gradients,)
            tables = [gradient for gradient in given if isinstance(gradient, Tensor) and gradient.numel() > 1]
            if tables:
                self.account.handed_on(tables, roots if isinstance(roots, tuple | list) else (roots,))
            self.account.backward_starts(roots, given=given)

    def grad(self, roots: Any, inputs: Any, *_: Any) -> None:
        """The hook of `torch.autograd.grad`, which returns gradients and leaves none in parameters."""
        if not getattr(self._inside, "busy", False):
            asked = inputs if isinstance(inputs, tuple | list) else (inputs,)
            self.account.backward_starts(roots, accumulates=False, asked=asked)

    def computed(self, value: Any, token: Token | None) -> Any:
        """After PyTorch's own body: the value of a call that was left is watched, too."""
        if token is not None and isinstance(value, Tensor):
            self._proof.watch(token[0], value, *token[1:])
        return value

    def loaded(self, result: Any, _: Any) -> Any:
        """After a module's state was loaded."""
        self.account.stretches.end()
        self.account.values.loads()
        return result

    def _at_site(self, call: Call, frame: FrameType) -> Result:
        if getattr(self._inside, "busy", False):
            return NOTHING
        key = self.frames.chain(frame)
        if key is None:
            return NOTHING
        if _is_traced(call.input):
            count_compiled(self.ledger, self.frames, call.loss)
            return NOTHING
        if self._generation != self.ledger.generation:  # a fork: its rows are new
            self._start_afresh()
        chain = self.chains.of(key, call, frame)
        action, reason = self.chains.action_now(chain, call, frame)
        if action != "replace":
            return self._left(chain, action, reason, call)
        if self.settings.mode != "run":
            untouched = self._left(chain, "replace", chain.reason, call)
            self._bits.watched(chain.streams["replace", chain.reason], call)
            return untouched
        if call.loss == "nll_loss" and (why := _doubt(call.input)):
            return self._left(chain, "refuse", why, call)
        return self._replaced(chain, call)

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
            sample = self._proof.sampled(chain, stream, call, self.settings.beta)
            self._proof.watch(stream, value, sample, call.input.grad_fn)
        if self.settings.steps:
            self._bits.write_down(stream.row, value)
        return value, None

    def _left(self, chain: Chain, action: str, reason: str, call: Call | None = None) -> Result:
        stream = self._counted(chain, action, reason)
        can_train = call is not None and call.can_train
        self._learned.called(can_train=can_train)
        if call is None or not can_train:
            frame = sys._getframe(1)
            self.account.values.read(stream.row, lambda: parameters_around(self.frames, frame))
            return NOTHING
        return None, (stream, self._proof.sampled(chain, stream, call, 0.0), call.input.grad_fn)

    @contextlib.contextmanager
    def _computing(self) -> Iterator[None]:
        """While our own measurements compute, no call is a site."""
        before = getattr(self._inside, "busy", False)
        self._inside.busy = True
        try:
            yield
        finally:
            self._inside.busy = before

    def _counted(self, chain: Chain, action: str, reason: str) -> Stream:
        """The stream of calls with this outcome, one call longer; recomputed calls are not counted again."""
        stream = chain.streams.get((action, reason))
        if stream is None:
            place = (*chain.spot, action)
            if chain.checkpoint == "again" and place in self._first_passes:
                row = self._first_passes[place]  # whose value these gradients are of
            else:
                row = row_of(self.ledger, chain, action, reason, learns=self.settings.mode == "learn")
            if chain.checkpoint == "first":
                self._first_passes[place] = row
            is_replaced = action == "replace" and self.settings.mode == "run"
            ingredient = lambda text: self._proof.ingredient(chain, row, text)  # noqa: E731
            stream = Stream(row, ingredient, is_replaced, is_cut=bool(chain.checkpoint))
            chain.streams[action, reason] = stream
        if chain.checkpoint != "again":
            self.ledger.count(stream.row)
        return stream


def _doubt(input: Tensor) -> str:
    try:
        return doubt(input)
    except Exception as error:
        return f"whether its input is a log_softmax can't be told ({type(error).__name__})"


def _is_traced(input: Tensor) -> bool:
    return type(input) not in PLAIN and type(input).__module__.startswith(("torch._subclasses", "torch.fx"))
