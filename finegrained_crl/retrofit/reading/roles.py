"""Which role does a loss play? Guessed from the names around the call: its target, its arguments, the criterion, the
function.
"""

from __future__ import annotations

import ast

from finegrained_crl.retrofit.reading.flow import dotted
from finegrained_crl.retrofit.reading.source import Source
from finegrained_crl.retrofit.reading.words import role_of


def guess_role(source: Source, call: ast.Call) -> str:
    """Guess a call's role: what is nearest to it speaks first.

    Args:
        source: the file.
        call: the call of the loss.
    """
    for names in (_target_names(source, call), _argument_names(call), _surroundings(source, call)):
        role = role_of(names)
        if role != "class":
            return role
    return "contrastive" if _counts_the_batch(source, call) else "class"


def hand_made(source: Source, call: ast.Call) -> str:
    """Say why an `nll_loss` is only a part of a hand-written loss; "" where it stands alone.

    Log-probabilities that are also summed, averaged or gathered (label smoothing by hand, distillation) would leave a
    mixture of CRL and cross-entropy behind.
    """
    name = dotted(call.args[0]) if call.args else ""
    scope = _scope(source, call)
    if not name or scope is None:
        return ""
    for node in ast.walk(scope):
        if (
            dotted(node) != name
            or not isinstance(getattr(node, "ctx", None), ast.Load)
            or any(node is a for a in ast.walk(call))
        ):
            continue
        use = _use_of(source, node)
        if use:
            line: int = node.lineno  # type: ignore[attr-defined]
            return f"`{name}` enters the loss in line {line} too ({use}): replacing nll_loss alone would mix two losses"
    return ""


def _use_of(source: Source, node: ast.AST) -> str:
    parent = source.parents.get(node)
    if isinstance(parent, ast.Attribute):
        return parent.attr if parent.attr in ("sum", "mean", "gather", "mul", "index_select", "logsumexp") else ""
    if isinstance(parent, ast.Call) and node in parent.args:
        called = dotted(parent.func).rpartition(".")[2]
        return (
            called if called in ("sum", "mean", "gather", "mul", "kl_div", "one_hot") or "kl" in called.lower() else ""
        )
    if isinstance(parent, ast.BinOp) or (isinstance(parent, ast.UnaryOp) and isinstance(parent.op, ast.USub)):
        return "arithmetic"
    return ""


def _scope(source: Source, node: ast.AST) -> ast.AST | None:
    above = source.parents.get(node)
    while above is not None and not isinstance(above, ast.FunctionDef | ast.AsyncFunctionDef | ast.Module):
        above = source.parents.get(above)
    return above


def _statement(source: Source, node: ast.AST) -> ast.AST:
    while not isinstance(node, ast.stmt) and node in source.parents:
        node = source.parents[node]
    return node


def _target_names(source: Source, call: ast.Call) -> list[str]:
    statement = _statement(source, call)
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
    return [part for target in targets if target is not None for part in _identifiers(target)]


def _argument_names(call: ast.Call) -> list[str]:
    values = [*call.args, *(keyword.value for keyword in call.keywords)]
    return [part for value in values for part in _identifiers(value)]


def _surroundings(source: Source, call: ast.Call) -> list[str]:
    """The criterion's own name; the function's only where it is a small helper about one loss (`swap_loss(..)`)."""
    names = list(_identifiers(call.func))
    scope = _scope(source, call)
    if isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef) and "loss" in scope.name.lower():
        names.append(scope.name)
    return names


def _identifiers(node: ast.AST) -> list[str]:
    names = []
    for part in ast.walk(node):
        if isinstance(part, ast.Name):
            names.append(part.id)
        elif isinstance(part, ast.Attribute):
            names.append(part.attr)
        elif isinstance(part, ast.Constant) and isinstance(part.value, str):
            names.append(part.value)
    return names


def _counts_the_batch(source: Source, call: ast.Call) -> bool:
    """InfoNCE: the targets are the rows' own numbers."""
    target = next((keyword.value for keyword in call.keywords if keyword.arg == "target"), None)
    if len(call.args) > 1:
        target = call.args[1]
    if target is None:
        return False
    if _is_arange(target):
        return True
    scope, name = _scope(source, call), dotted(target)
    stored = [
        n.value
        for n in ast.walk(scope or call)
        if isinstance(n, ast.Assign) and name and name in {dotted(t) for t in n.targets}
    ]
    return bool(stored) and all(_is_arange(value) for value in stored)


def _is_arange(node: ast.AST) -> bool:
    return any(
        isinstance(part, ast.Call) and dotted(part.func).rpartition(".")[2] == "arange" for part in ast.walk(node)
    )
