"""Does a piece of code train or evaluate? Told from where it stands in the source, never from grad mode at run time.

Asked in this order; the first answer holds:

1. it stands inside `torch.no_grad()`, `inference_mode()` or `set_grad_enabled(False)`: evaluation;
2. its value reaches a backward pass in the same function: training (where an `if phase == "train"` guards that pass,
   the guard is kept and looked up at each call);
3. its function runs under `@torch.no_grad()`: evaluation;
4. the name that it is stored under says so (`val_loss`);
5. the name of the function or class around it says so (`validate`, `training_step`);
6. `model.eval()` or `model.train()` of the model that it gets its scores from stands before it in the same function;
7. the file's name says so and nothing in the file runs a backward pass.

Otherwise it is open, and the caller's place is asked, then the caller's caller. All this is the first guess; what
gradients do in the run is the judge (`account`).
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Literal

from finegrained_crl.retrofit.reading.flow import dotted, find_backward, stored_names
from finegrained_crl.retrofit.reading.guards import guard_of
from finegrained_crl.retrofit.reading.nodes import SCOPES, ancestors, own_nodes, start
from finegrained_crl.retrofit.reading.source import Source
from finegrained_crl.retrofit.reading.words import (
    EVALUATING_CLASSES,
    HELD_OUT,
    TRAINING,
    verdict_of,
    words_of,
)

Verdict = Literal["train", "eval", ""]
TEACHERS = {"teacher", "ema", "momentum", "old", "frozen", "reference", "anchor"}


@dataclass(frozen=True)
class Context:
    """What the place of a call says: verdict, why, and the test deciding at each call (None: always the verdict)."""

    verdict: Verdict
    why: str
    guard: ast.expr | None = None
    by_name: str = ""  # the function, class or file whose name alone says so
    grad_off: bool = False  # because gradients are switched off there
    is_weak: bool = False  # a caller that runs the backward pass knows better


def context_of(source: Source, node: ast.AST, *, is_loss: bool = False) -> Context:
    """Judge the place of a node.

    Args:
        source: the file.
        node: any expression in it.
        is_loss: the node is the call of the loss itself; False: something on the way to it.
    """
    around = ancestors(source, node)
    scope = next((a for a in around if isinstance(a, SCOPES)), source.tree)
    assert scope is not None
    return (
        _without_grad(around)
        or _reaching_backward(source, scope, node, around)
        or _decorated_without_grad(around)
        or (_stored_as(source, node) if is_loss else None)
        or _named(around)
        or _after_mode_switch(scope, node)
        or _by_file(source)
        or Context("", "nothing around it tells training from evaluation")
    )


def function_of(source: Source, node: ast.AST) -> str:
    """Dotted name of the functions and classes around a node; "<module>" at the top."""
    names = [a.name for a in reversed(ancestors(source, node)) if isinstance(a, (*SCOPES, ast.ClassDef))]
    return ".".join(names) or "<module>"


def _without_grad(around: list[ast.AST]) -> Context | None:
    for node in around:
        if isinstance(node, SCOPES):
            return None  # what the caller's code does is the caller's to tell
        for item in node.items if isinstance(node, ast.With) else ():
            if _last_name(item.context_expr) == "enable_grad":
                return None
            if _switches_grad_off(item.context_expr):
                why = f"inside `{ast.unparse(item.context_expr)}`, line {item.context_expr.lineno}"
                return Context("eval", why, grad_off=True)
    return None


def _decorated_without_grad(around: list[ast.AST]) -> Context | None:
    scope = next((node for node in around if isinstance(node, SCOPES)), None)
    if scope is None or any(_enables_grad(node) for node in around[: around.index(scope)]):
        return None
    for decorator in scope.decorator_list:
        if _switches_grad_off(decorator):
            return Context("eval", f"`{scope.name}` runs under `@{ast.unparse(decorator)}`", grad_off=True)
    return None


def _enables_grad(node: ast.AST) -> bool:
    return isinstance(node, ast.With) and any(_last_name(i.context_expr) == "enable_grad" for i in node.items)


def _stored_as(source: Source, node: ast.AST) -> Context | None:
    """`val_loss += criterion(..)`: the name that it is stored under says so."""
    statement: ast.AST | None = node
    while statement is not None and not isinstance(statement, ast.stmt):
        statement = source.parents.get(statement)
    if isinstance(statement, ast.Assign | ast.AugAssign | ast.AnnAssign):
        for name in stored_names(statement):
            words = words_of(name)
            if words & HELD_OUT and not words & TRAINING:
                return Context("eval", f"stored as `{name}`", by_name=name, is_weak=True)
    return None


def _last_name(expression: ast.expr) -> str:
    return dotted(expression.func if isinstance(expression, ast.Call) else expression).rpartition(".")[2]


def _switches_grad_off(expression: ast.expr) -> bool:
    name = _last_name(expression)
    if name in ("no_grad", "inference_mode"):
        return True
    off = isinstance(expression, ast.Call) and expression.args and isinstance(expression.args[0], ast.Constant)
    return bool(name == "set_grad_enabled" and off and expression.args[0].value is False)  # type: ignore[attr-defined]


def _reaching_backward(source: Source, scope: ast.AST, node: ast.AST, around: list[ast.AST]) -> Context | None:
    backward = find_backward(scope, node, source.parents, source.backward_helpers)
    if backward is None:
        return None
    guard = guard_of(source, scope, backward, around)
    when = f" where `{ast.unparse(guard)}`" if guard is not None else ""
    return Context("train", f"its value reaches the backward pass in line {backward.lineno}{when}", guard)


def _named(around: list[ast.AST]) -> Context | None:
    for node in around:
        verdict = verdict_of(node.name) if isinstance(node, (*SCOPES, ast.ClassDef)) else ""
        if isinstance(node, ast.ClassDef):  # a `Trainer` validates too; an `Evaluator` does not train
            verdict = "eval" if verdict == "eval" and words_of(node.name) & EVALUATING_CLASSES else ""
        if verdict:
            kind = "class" if isinstance(node, ast.ClassDef) else "function"
            return Context("eval" if verdict == "eval" else "train", f"{kind} `{node.name}`", by_name=node.name)  # type: ignore[attr-defined]
    return None


def _after_mode_switch(scope: ast.AST, node: ast.AST) -> Context | None:
    """The last `X.eval()` or `X.train()` above the node in its function."""
    last: tuple[tuple[int, int], Verdict, str] | None = None
    for call in _own_calls(scope):
        switch = _mode_switch(call)
        is_later = last is None or start(call) >= last[0]
        if switch and is_later and start(call) < start(node) and _scores_come_from(scope, node, _switched(call)):
            last = (start(call), switch, ast.unparse(call))
    if last is None:
        return None
    return Context(last[1], f"behind `{last[2]}`, line {last[0][0]}", is_weak=True)


def _switched(call: ast.Call) -> str:
    return dotted(call.func.value) if isinstance(call.func, ast.Attribute) else ""


def _scores_come_from(scope: ast.AST, site: ast.AST, model: str) -> bool:
    """Whether the scores of a loss are computed by this model, as far as names tell: not by a teacher beside it, and
    not where only a part of it (`net.bn.eval()`) was switched.

    A site that is no call with arguments of its own (something on the way to the loss) is taken to be.
    """
    if not (isinstance(site, ast.Call) and site.args):
        return words_of(model).isdisjoint(TEACHERS) and model.count(".") <= model.startswith("self.")
    used, grown = {model}, True
    assignments = [n for n in own_nodes(scope) if isinstance(n, ast.Assign)]
    while grown:
        before = len(used)
        for assignment in assignments:
            if any(_uses(assignment.value, name, name == model) for name in used):
                used |= stored_names(assignment)
        grown = len(used) > before
    return any(_uses(site.args[0], name, name == model) for name in used)


def _uses(expression: ast.AST, name: str, as_call: bool) -> bool:
    for part in ast.walk(expression):
        if as_call and isinstance(part, ast.Call) and (dotted(part.func) + ".").startswith(name + "."):
            return True
        if not as_call and dotted(part) == name:
            return True
    return False


def _own_calls(scope: ast.AST) -> list[ast.Call]:
    return [node for node in own_nodes(scope) if isinstance(node, ast.Call)]


def _mode_switch(call: ast.Call) -> Verdict:
    if not isinstance(call.func, ast.Attribute) or not dotted(call.func.value) or call.keywords:
        return ""
    if call.func.attr == "eval" and not call.args:
        return "eval"
    if call.func.attr == "train" and len(call.args) < 2:
        flag = call.args[0] if call.args else ast.Constant(True)
        if isinstance(flag, ast.Constant) and isinstance(flag.value, bool):
            return "train" if flag.value else "eval"
    return ""


def _by_file(source: Source) -> Context | None:
    if b".backward(" in source.data or verdict_of(source.path.stem) != "eval":
        return None
    why = f"file `{source.path.name}`, which runs no backward pass"
    return Context("eval", why, by_name=source.path.name, is_weak=True)
