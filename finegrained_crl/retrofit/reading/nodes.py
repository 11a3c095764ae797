"""Walks over a syntax tree: outwards from a node, and over a function without those inside it."""

from __future__ import annotations

import ast

from finegrained_crl.retrofit.reading.flow import FUNCTIONS
from finegrained_crl.retrofit.reading.source import Source

SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef)


def ancestors(source: Source, node: ast.AST) -> list[ast.AST]:
    """The nodes around a node, innermost first."""
    around = []
    while (node := source.parents.get(node)) is not None:  # type: ignore[assignment]
        around.append(node)
    return around


def own_nodes(scope: ast.AST) -> list[ast.AST]:
    """The nodes of a function without those of functions inside it."""
    nodes: list[ast.AST] = []
    todo = list(ast.iter_child_nodes(scope))
    while todo:
        node = todo.pop()
        nodes.append(node)
        if not isinstance(node, FUNCTIONS):
            todo += ast.iter_child_nodes(node)
    return nodes


def start(node: ast.AST) -> tuple[int, int]:
    """Line and column at which a node begins."""
    return node.lineno, node.col_offset  # type: ignore[attr-defined]
