"""Does a computed value reach a backward pass? Followed by name, in the order of the lines, within one function.

An approximation that is right for the usual shapes: `loss = f(x); loss.backward()`, sums, lists, dicts, scalers and
accelerators. A later assignment of the same name ends the trail, so that a validation loop that reuses the name `loss`
is not mistaken.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def dotted(node: ast.AST) -> str:
    """`a.b.c` of a name or attribute chain, "" for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (base := dotted(node.value)):
        return f"{base}.{node.attr}"
    return ""


def backward_helpers(tree: ast.Module) -> frozenset[str]:
    """Functions of a file that run a backward pass on one of their arguments: `def step(loss): loss.backward()`."""
    helpers = set()
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)):
        arguments = {a.arg for a in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)}
        calls = (node for node in ast.walk(function) if isinstance(node, ast.Call) and is_backward(node))
        if any(_mentions(call, arguments - {"self"}) for call in calls):
            helpers.add(function.name)
    return frozenset(helpers)


def find_backward(
    scope: ast.AST, site: ast.AST, parents: dict[ast.AST, ast.AST], helpers: frozenset[str] = frozenset()
) -> ast.Call | None:
    """The call that starts the backward pass from the site's value, if there is one.

    Args:
        scope: the function (or module) around the site.
        site: the call whose value is followed.
        parents: every node's parent.
        helpers: functions that run the backward pass on what they are given.
    Returns:
        a call of something named `backward` or of `autograd.grad`; None where the value does not get there.
    """
    node = site
    while node is not scope and not isinstance(node, ast.stmt):
        node = parents[node]
        if isinstance(node, ast.Call) and node is not site and is_backward(node, helpers):
            return node
        if isinstance(node, FUNCTIONS) and node is not scope:
            return None
    trail = stored_names(node)
    for statement in _following(scope, node, parents):
        if found := _backward_in(statement, trail, helpers):
            return found
        _advance(trail, statement)
        if not trail:
            return None
    return None


def is_backward(call: ast.Call, helpers: frozenset[str] = frozenset()) -> bool:
    """Whether a call starts a backward pass, as far as its name tells."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else dotted(call.func)
    if name in helpers or (name.endswith("scaler") and len(call.args) > 1):  # timm: loss_scaler(loss, optimizer, ..)
        return True
    return "backward" in name or dotted(call.func).endswith("autograd.grad")


def _following(scope: ast.AST, after: ast.AST, parents: dict[ast.AST, ast.AST]) -> Iterator[ast.stmt]:
    """Statements of the scope behind a statement, in order, without those of inner functions and of branches not taken
    with it.
    """
    seen, elsewhere = False, _other_branches(scope, after, parents)
    for statement in _statements(scope):
        if seen and id(statement) not in elsewhere:
            yield statement
        seen = seen or statement is after


def _other_branches(scope: ast.AST, statement: ast.AST, parents: dict[ast.AST, ast.AST]) -> set[int]:
    """What stands under `else` where the statement stands under `if`."""
    lines: set[int] = set()
    node = statement
    while node is not scope and node in parents:
        child, node = node, parents[node]
        if isinstance(node, ast.If) and any(child is s for s in node.body):
            lines |= {id(s) for other in node.orelse for s in ast.walk(other)}
    return lines


def _statements(scope: ast.AST) -> Iterator[ast.stmt]:
    """In order; without recursion, which chains of a thousand `elif` would exhaust."""
    todo = _inside(scope)[::-1]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.stmt):
            yield node
        if not isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            todo += _inside(node)[::-1]


def _inside(node: ast.AST) -> list[ast.AST]:
    blocks = (getattr(node, name, None) for name in ("body", "handlers", "orelse", "finalbody", "cases"))
    return [child for block in blocks if isinstance(block, list) for child in block]


def _own_expressions(statement: ast.stmt) -> list[ast.AST]:
    """What the statement itself evaluates, without the statements inside it."""
    nodes: list[ast.AST] = []
    for _, value in ast.iter_fields(statement):
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, ast.expr | ast.keyword | ast.withitem):
                nodes.append(item)
    return nodes


def _mentions(node: ast.AST, trail: set[str]) -> bool:
    return any(dotted(part) in trail for part in ast.walk(node) if isinstance(part, ast.Name | ast.Attribute))


def _backward_in(statement: ast.stmt, trail: set[str], helpers: frozenset[str]) -> ast.Call | None:
    for expression in _own_expressions(statement):
        for node in ast.walk(expression):
            if isinstance(node, ast.Call) and is_backward(node, helpers) and _mentions(node, trail):
                return node
    return None


def stored_names(statement: ast.AST) -> set[str]:
    """Names that a statement writes its value to."""
    if isinstance(statement, ast.Assign):
        targets: list[ast.expr] = statement.targets
    elif isinstance(statement, ast.AugAssign | ast.AnnAssign | ast.For):
        targets = [statement.target]
    elif isinstance(statement, ast.With):
        targets = [item.optional_vars for item in statement.items if item.optional_vars]
    elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        call = statement.value  # losses.append(loss): the container carries it on
        targets = [call.func.value] if isinstance(call.func, ast.Attribute) else []
    else:
        targets = []
    return {name for target in targets for name in _names(target)}


def _names(target: ast.expr) -> Iterator[str]:
    if isinstance(target, ast.Tuple | ast.List):
        for element in target.elts:
            yield from _names(element)
    elif isinstance(target, ast.Subscript | ast.Starred):
        yield from _names(target.value)
    elif name := dotted(target):
        yield name


def _advance(trail: set[str], statement: ast.stmt) -> None:
    carried = any(_mentions(expression, trail) for expression in _carrying(statement))
    stored = stored_names(statement)
    if carried:
        trail |= stored
    elif isinstance(statement, ast.Assign):
        trail -= {
            name for target in statement.targets if isinstance(target, ast.Name | ast.Tuple) for name in _names(target)
        }


def _carrying(statement: ast.stmt) -> list[ast.AST]:
    """The expressions whose value the statement stores; `loss.item()` carries a number away, not the graph."""
    if isinstance(statement, ast.Assign | ast.AnnAssign):
        sources: list[ast.AST] = [statement.value] if statement.value else []
    elif isinstance(statement, ast.AugAssign):
        sources = [statement.value]
    else:
        sources = _own_expressions(statement)
    return [
        s
        for s in sources
        if not any(isinstance(n, ast.Attribute) and n.attr in ("item", "detach", "data") for n in ast.walk(s))
    ]
