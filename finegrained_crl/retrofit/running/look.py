"""Look around a call once, when it is first seen: its place, its role, who called it, and whether they train or
evaluate.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import FrameType
from typing import Protocol

from torch import Tensor, nn
from torch.nn.modules.loss import _Loss

from finegrained_crl.retrofit.account.by_hand import are_targets
from finegrained_crl.retrofit.losses.positions import class_last
from finegrained_crl.retrofit.reading.phase import Context, Verdict, context_of
from finegrained_crl.retrofit.reading.roles import guess_role, hand_made
from finegrained_crl.retrofit.reading.words import verdict_of
from finegrained_crl.retrofit.running.calls import Call
from finegrained_crl.retrofit.running.frames import LIBRARY, PROGRAM, Frames
from finegrained_crl.retrofit.sites.decision import Choice, Facts
from finegrained_crl.retrofit.sites.place import Place

MIXED = 2  # labels that mixup or cutmix gives one picture


class Built(Protocol):
    """Knows where criteria were built."""

    def place_of(self, module: object) -> Place | None:
        """The line that built it."""


@dataclass
class Found:
    """What the first sight of a call tells."""

    facts: Facts
    expression: str
    column: int
    guards: list[tuple[int, ast.expr]] = field(default_factory=list)  # (frame, test) that must hold for training
    module_depth: int = -1  # the frame whose `self` is a model that may be in eval mode
    action: str = "leave"

    @property
    def guard_texts(self) -> list[str]:
        """The guards as source."""
        return [f"`{ast.unparse(test)}`" for _, test in self.guards]


def look_around(
    frames: Frames,
    frame: FrameType,
    call: Call,
    built: Built,
    choice: Choice,
    problem: str,
    base: FrameType | None = None,
) -> Found:
    """Collect what is known about a call.

    Args:
        frames: tells the program's frames from others.
        frame: the innermost caller.
        call: what was called, with what.
        built: where criteria were built.
        choice: of the user, for the roles that a profile gives.
        problem: why the call can't be replaced, "" so far.
        base: the frame of a `with retrofit():`; its name, and who called it, say nothing about what stands in the
            block.
    """
    criteria = _criteria(frame)
    chain = frames.frames(frame)
    first = next((i for i, (_, f) in enumerate(chain) if not _is_criterion_frame(f)), 0)
    if not chain:
        return Found(Facts(Place("<unknown>", 0), problem=problem or "no Python code of the program calls it"), "", 0)
    kind, site = chain[first]
    place, node = frames.place_of(site), frames.call_of(site) if kind == PROGRAM else None
    contexts = [_with_grad(context, call) for context in _contexts(frames, chain[first:], base)]
    verdict, why, depth = _verdict(contexts)
    source = frames.source_of(site) if node is not None else None
    role = guess_role(source, node) if source is not None and node is not None else "class"
    role = _checked(role, call)
    if call.loss == "nll_loss" and source is not None and node is not None:
        problem = problem or hand_made(source, node)
    if node is not None:
        place = Place(place.file, node.lineno, place.function)  # as `scan` says it, where a call is broken over lines
    facts = Facts(
        place,
        choice.role_at(place, role),
        verdict,
        why,
        contexts[0].verdict,
        [frames.place_of(f) for k, f in (*chain[:first], *chain[first + 1 :]) if k == PROGRAM],
        [p for c in criteria if (p := built.place_of(c))],
        frames.library_of(site) if kind == LIBRARY else "",
        problem,
        guarded=depth >= 0 and contexts[depth].guard is not None,
    )
    seen = Found(facts, source.text_of(node) if source and node else "", node.col_offset if node else 0)
    if facts.guarded:
        seen.guards.append((first + depth, contexts[depth].guard))  # type: ignore[arg-type]
    seen.module_depth = _model_frame(chain, first) if not verdict else -1
    return seen


def _checked(role: str, call: Call) -> str:
    """The guessed role, where the targets can be those of that role: else its loss would be left for a mere name."""
    if role == "distillation" and (not call.target.is_floating_point() or _are_labels(call.target)):
        return "class"  # class indices, or labels smoothed or mixed: no teacher's scores
    if role == "contrastive" and not call.target.is_floating_point() and not _are_own_samples(call):
        return "class"
    return role


def _are_labels(probabilities: Tensor) -> bool:
    """Whether soft targets are labels, smoothed or mixed; a teacher gives each class some probability of its own."""
    classes = class_last(probabilities)
    return are_targets(classes) or bool(((classes != 0).sum(-1) <= MIXED).all())


def _are_own_samples(call: Call) -> bool:
    """Whether class indices may be the batch's own numbers (of one process among several), or the first column."""
    target = call.target.flatten()
    rows, first = len(target), int(target[0]) if len(target) else 0
    steps = set(target.diff().tolist())
    if steps == {1}:
        return first % rows == 0
    return steps <= {0} and first == 0


def _with_grad(context: Context, call: Call) -> Context:
    """Where gradients do flow, a `no_grad` in the source is not what holds here (an `enable_grad` inside it does)."""
    return Context("", context.why) if context.grad_off and call.can_train else context


def _contexts(frames: Frames, chain: Sequence[tuple[int, FrameType]], base: FrameType | None) -> list[Context]:
    at = next((i for i, (_, frame) in enumerate(chain) if frame is base), len(chain))
    outer = {name for _, f in chain[at:] for name in (f.f_code.co_name, os.path.basename(f.f_code.co_filename))}
    sites = [
        _context_of(frames, kind, frame, is_loss=depth == 0) for depth, (kind, frame) in enumerate(chain[: at + 1])
    ]
    return [Context("", "inside `with retrofit()`") if context.by_name in outer else context for context in sites]


def _phase(verdict: str) -> Verdict:
    """What a function's name says: any verdict but evaluation means training, none means nothing."""
    if verdict == "eval":
        return "eval"
    return "train" if verdict else ""


def _context_of(frames: Frames, kind: int, frame: FrameType, *, is_loss: bool) -> Context:
    name = frame.f_code.co_name
    if kind == LIBRARY:
        verdict = verdict_of(name)
        return Context(
            _phase(verdict),
            f"`{name}` of {frames.library_of(frame)}",
            by_name=name,
        )
    call = frames.call_of(frame)
    if call is None:
        verdict = verdict_of(name)
        return Context(_phase(verdict), f"function `{name}`", by_name=name)
    return context_of(frames.source_of(frame), call, is_loss=is_loss)


def _verdict(contexts: Sequence[Context]) -> tuple[str, str, int]:
    """The innermost place that says anything decides."""
    said = [(depth, context) for depth, context in enumerate(contexts) if context.verdict]
    if not said:
        return "", contexts[0].why if contexts else "", -1
    depth, context = said[0]
    is_weak = context.is_weak or bool(context.by_name)
    strong = next(((d, c) for d, c in said[1:] if not c.is_weak and not c.by_name), None)
    if is_weak and strong is not None and strong[1].verdict != context.verdict:
        depth, context = strong  # `predict_loss` may be called so, but its value is what is trained on
    elif context.verdict == "train" and context.by_name:
        # A validation that uses the training's helper; who is called `validate` does not train by it.
        depth, context = next(((d, c) for d, c in said[1:] if c.verdict == "eval" and not c.is_weak), (depth, context))
    return context.verdict, context.why + ("" if depth == 0 else " (a caller)"), depth


def _criteria(frame: FrameType | None) -> list[object]:
    """The loss modules whose forward the call goes through."""
    objects: list[object] = []
    while frame is not None and len(objects) < 4:
        owner = frame.f_locals.get("self") if frame.f_code.co_name in ("forward", "__call__") else None
        if isinstance(owner, _Loss) and owner not in objects:
            objects.append(owner)
        frame = frame.f_back
    return objects


def _is_criterion_frame(frame: FrameType) -> bool:
    """Inside a subclass of PyTorch's criteria: its caller is the site."""
    return isinstance(frame.f_locals.get("self"), nn.CrossEntropyLoss | nn.NLLLoss)


def _model_frame(chain: Sequence[tuple[int, FrameType]], first: int) -> int:
    for depth, (_, frame) in enumerate(chain):
        owner = frame.f_locals.get("self")
        if (
            depth >= first
            and isinstance(owner, nn.Module)
            and not isinstance(owner, _Loss)
            and frame.f_code.co_name == "forward"
        ):
            return depth
    return -1
