"""Look up, at a call, the test that decides in the program's own source whether this is training (`if phase ==
"train":`).

Only names, `.training`, constants, comparisons and and/or/not are evaluated; anything else counts as training.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

COMPARISONS: dict[type, Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.In: lambda item, items: item in items,
    ast.NotIn: lambda item, items: item not in items,
}
SIMPLE = (str, bool, int, float, type(None), tuple, list, set, frozenset)


class UnknownError(Exception):
    """The test holds something that is not looked up."""


def holds(test: ast.expr, names: Mapping[str, Any]) -> bool:
    """Tell whether the test is true; True where that can't be told.

    >>> test = ast.parse("phase == 'train'", mode="eval").body
    >>> holds(test, {"phase": "train"}), holds(test, {"phase": "val"}), holds(test, {})
    (True, False, True)
    """
    try:
        return _truth(_value(test, names))
    except UnknownError:
        return True


def _value(node: ast.expr, names: Mapping[str, Any]) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return not _truth(_value(node.operand, names))
    if isinstance(node, ast.BoolOp):
        values = [_truth(_value(part, names)) for part in node.values]
        return all(values) if isinstance(node.op, ast.And) else any(values)
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in COMPARISONS:
        sides = (_value(node.left, names), _value(node.comparators[0], names))
        if all(isinstance(side, SIMPLE) for side in sides) or isinstance(node.ops[0], ast.Is | ast.IsNot):
            return COMPARISONS[type(node.ops[0])](*sides)
        raise UnknownError
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        return [_value(element, names) for element in node.elts]
    return _looked_up(node, names)


def _looked_up(node: ast.expr, names: Mapping[str, Any]) -> Any:
    path = []
    while isinstance(node, ast.Attribute):
        path.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name) or node.id not in names:
        raise UnknownError
    value = names[node.id]
    for attribute in reversed(path):
        holder = getattr(value, "__dict__", {})  # plain attributes only: a property would run the program's code
        if attribute not in holder and attribute not in holder.get("_modules", {}):
            raise UnknownError
        value = holder[attribute] if attribute in holder else holder["_modules"][attribute]
    return value


def _truth(value: Any) -> bool:
    """An object's truth may run the program's code (`if tensor:`); only where it can't is it asked for."""
    if isinstance(value, SIMPLE) or not (hasattr(type(value), "__bool__") or hasattr(type(value), "__len__")):
        return bool(value)
    raise UnknownError
