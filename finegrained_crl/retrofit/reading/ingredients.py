"""Is the value of a loss an ingredient of another one? Told from names, within one function; a run asks the graph.

`ce = F.cross_entropy(.., reduction="none")` followed by `torch.exp(-ce)` or `ce ** 2` is a focal loss, Poly-1, a CRL by
hand or the like, where CRL must not go in. Numbers for the log (`math.exp(loss.item())`) are no such use.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterator
from functools import partial

from finegrained_crl.retrofit.reading.flow import FUNCTIONS, dotted, stored_names
from finegrained_crl.retrofit.reading.source import Source

CURVED = {"exp", "exp_", "expm1", "pow", "pow_", "log", "log1p", "sigmoid", "tanh", "sqrt", "square", "softplus"}
AS_NUMBER = {"item", "tolist", "cpu", "numpy"}


def ingredient(source: Source, call: ast.Call) -> str:
    """Say where the value of a call goes through a function that is no sum, weight or scaling; "" for nowhere.

    Args:
        source: the file.
        call: of the loss.
    """
    statement: ast.AST = call
    while not isinstance(statement, ast.stmt):
        parent = source.parents[statement]
        if use := _curved(parent, partial(operator.is_, statement)):
            return _said(use, parent)
        statement = parent
    names = stored_names(statement) if isinstance(statement, ast.Assign) else set()
    scope: ast.AST = statement
    while not isinstance(scope, (*FUNCTIONS, ast.Module)):
        scope = source.parents[scope]
    for node in _behind(scope, statement):
        if use := _curved(node, lambda part: _mentions(part, names)):
            return _said(use, node)
    return ""


def _behind(scope: ast.AST, statement: ast.stmt) -> Iterator[ast.AST]:
    for node in ast.walk(scope):
        if isinstance(node, ast.expr) and node.lineno > (statement.end_lineno or statement.lineno):
            yield node


def _said(use: str, node: ast.AST) -> str:
    return f"its value goes through `{use}` in line {node.lineno}: an ingredient of another loss"  # type: ignore[attr-defined]


def _curved(node: ast.AST, holds: Callable[[ast.AST], bool]) -> str:
    """The function, where a node computes one of an expression that `holds`."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow) and holds(node.left):
        return "**"
    if not isinstance(node, ast.Call):
        return ""
    name = dotted(node.func).rpartition(".")[2] or getattr(node.func, "attr", "")
    if name not in CURVED or dotted(node.func).startswith("math."):
        return ""
    own = [node.func.value] if isinstance(node.func, ast.Attribute) else []
    return name if any(holds(part) for part in (*node.args, *own)) else ""


def _mentions(node: ast.AST, names: set[str]) -> bool:
    parts = list(ast.walk(node))
    if any(isinstance(part, ast.Attribute) and part.attr in AS_NUMBER for part in parts):
        return False
    return any(dotted(part) in names for part in parts if isinstance(part, ast.Name | ast.Attribute))
