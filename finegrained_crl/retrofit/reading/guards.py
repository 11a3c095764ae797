"""The test that decides whether a backward pass runs: `if phase == "train"`, or `if not training: return` before it."""

from __future__ import annotations

import ast
import itertools

from finegrained_crl.retrofit.reading.flow import is_backward
from finegrained_crl.retrofit.reading.nodes import SCOPES, ancestors, own_nodes, start
from finegrained_crl.retrofit.reading.source import Source
from finegrained_crl.retrofit.reading.words import EVALUATION, PHASE, TRAINING, words_of


def guard_of(source: Source, scope: ast.AST, backward: ast.AST, around: list[ast.AST]) -> ast.expr | None:
    """The tests around the backward pass, but not around the site, that ask whether this is training."""
    tests: list[ast.expr] = []
    child, fixed = backward, _fixed_names(scope)
    for node in ancestors(source, backward):
        if node is scope or node in around:
            break
        test = None if _trains_either_way(node, child, source) else _test_before(node, child)
        if test is not None and _asks_for_training(test, fixed):
            tests.insert(0, test)
        child = node
    if way_out := _way_out(scope, backward, around, fixed):
        tests.insert(0, way_out)
    return ast.BoolOp(ast.And(), tests) if len(tests) > 1 else next(iter(tests), None)


def _trains_either_way(node: ast.AST, child: ast.AST, source: Source) -> bool:
    """`if args.fp16: scaled.backward()`, `else: loss.backward()`: such a test says how it trains, not whether."""
    if not isinstance(node, ast.If):
        return False
    others = node.orelse if any(child is statement for statement in node.body) else node.body
    parts = (part for statement in others for part in ast.walk(statement))
    return any(isinstance(part, ast.Call) and is_backward(part, source.backward_helpers) for part in parts)


def _test_before(node: ast.AST, child: ast.AST) -> ast.expr | None:
    """What must hold for a part of a node to be evaluated: `if`, `x if .. else y`, `.. and x`."""
    if isinstance(node, ast.If):
        return node.test if any(child is statement for statement in node.body) else _negated(node.test)
    if isinstance(node, ast.IfExp) and child is not node.test:
        return node.test if child is node.body else _negated(node.test)
    if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.And):
        before = list(itertools.takewhile(lambda value: value is not child, node.values))
        return ast.BoolOp(ast.And(), before) if len(before) > 1 else next(iter(before), None)
    return None


def _fixed_names(scope: ast.AST) -> set[str]:
    """A function's arguments that it never writes to: `if update:` is the same from its first line to its last."""
    if not isinstance(scope, SCOPES):
        return set()
    arguments = scope.args
    names = {a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}
    stored = {n.id for n in ast.walk(scope) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    return names - stored


def _way_out(scope: ast.AST, backward: ast.AST, around: list[ast.AST], fixed: set[str]) -> ast.expr | None:
    """The reverse of an `if not training: return loss` between the site and the backward pass."""
    below = around[0].lineno if around and hasattr(around[0], "lineno") else 0
    for node in own_nodes(scope):
        if not isinstance(node, ast.If) or node.orelse or node in around or _holds(node, backward):
            continue
        leaves = isinstance(node.body[-1], ast.Return | ast.Continue | ast.Raise)
        is_between = below <= node.lineno < start(backward)[0]
        if leaves and is_between and _asks_for_training(node.test, fixed):
            return _negated(node.test)
    return None


def _holds(node: ast.AST, part: ast.AST) -> bool:
    return any(inner is part for inner in ast.walk(node))


def _negated(test: ast.expr) -> ast.expr:
    return (
        test.operand if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not) else ast.UnaryOp(ast.Not(), test)
    )


def _asks_for_training(test: ast.expr, fixed: set[str]) -> bool:
    names = {n.id for n in ast.walk(test) if isinstance(n, ast.Name)}
    if names and names <= fixed:
        return True
    parts = [
        n.attr if isinstance(n, ast.Attribute) else n.id
        for n in ast.walk(test)
        if isinstance(n, ast.Name | ast.Attribute)
    ]
    parts += [n.value for n in ast.walk(test) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    if {"requires_grad", "is_grad_enabled"} & set(parts):
        return True
    return bool(words_of(*parts) & (PHASE | TRAINING | EVALUATION | {"optimizer", "optimiser", "opt"}))
