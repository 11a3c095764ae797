"""Look up, at a call, the test that decides in the program's own source whether this is training (`if phase ==
"train":`).

Names, attributes and items that can be read without running the program's code are looked up; constants, comparisons,
`startswith` and and/or/not are evaluated. What can't be looked up is neither true nor false: `train and unknown` is
false where `train` is, and a test that stays open counts as training - the account of gradients judges it.
"""

from __future__ import annotations

import ast
import enum
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
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
SIMPLE = (str, bool, int, float, type(None), tuple, list, set, frozenset, enum.Enum)
TEXT = {"startswith", "endswith", "lower", "upper", "strip"}  # methods of strings that change nothing


class UnknownError(Exception):
    """The test holds something that is not looked up."""


def holds(test: ast.expr, names: Mapping[str, Any], *, can_train: bool = True) -> bool:
    """Tell whether the test is true; True where that can't be told.

    Args:
        test: from the program's source.
        names: its variables.
        can_train: what `torch.is_grad_enabled()` and `loss.requires_grad` are at this call.

    >>> test = ast.parse("phase == 'train' and ready()", mode="eval").body
    >>> holds(test, {"phase": "train"}), holds(test, {"phase": "val"}), holds(test, {})
    (True, False, True)
    """
    try:
        return _truth(_Lookup(names, can_train).value(test))
    except UnknownError:
        return True


class _Lookup:
    """Evaluates a test over variables."""

    def __init__(self, names: Mapping[str, Any], can_train: bool) -> None:
        self.names, self.can_train = names, can_train

    def value(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return not _truth(self.value(node.operand))
        if isinstance(node, ast.BoolOp):
            return self._joined(node)
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            return self._compared(node)
        if isinstance(node, ast.Tuple | ast.List | ast.Set):
            return [self.value(element) for element in node.elts]
        if isinstance(node, ast.Call):
            return self._called(node)
        if isinstance(node, ast.Attribute):
            return self._attribute(node)
        if isinstance(node, ast.Subscript):
            return _item(self.value(node.value), self.value(node.slice))
        if isinstance(node, ast.Name) and node.id in self.names:
            return self.names[node.id]
        raise UnknownError

    def _joined(self, node: ast.BoolOp) -> bool:
        """`and` is false where one part is, `or` true, whatever can't be told beside it."""
        decisive = isinstance(node.op, ast.Or)
        is_open = False
        for part in node.values:
            try:
                if _truth(self.value(part)) == decisive:
                    return decisive
            except UnknownError:
                is_open = True
        if is_open:
            raise UnknownError
        return not decisive

    def _compared(self, node: ast.Compare) -> bool:
        kind = type(node.ops[0])
        sides = self.value(node.left), self.value(node.comparators[0])
        if kind not in COMPARISONS or not (kind in (ast.Is, ast.IsNot) or all(isinstance(s, SIMPLE) for s in sides)):
            raise UnknownError
        try:
            return bool(COMPARISONS[kind](*sides))
        except TypeError as error:
            raise UnknownError from error

    def _called(self, node: ast.Call) -> Any:
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        if name == "is_grad_enabled" and not node.args:
            return self.can_train
        if name in TEXT and isinstance(node.func, ast.Attribute):
            text, arguments = self.value(node.func.value), [self.value(a) for a in node.args]
            if isinstance(text, str) and all(isinstance(a, str | list) for a in arguments):
                texts = [tuple(a) if isinstance(a, list) else a for a in arguments]
                return getattr(text, name)(*texts)
        if isinstance(node.func, ast.Name) and node.func.id in ("bool", "getattr"):
            return self._built_in(node)
        raise UnknownError

    def _built_in(self, node: ast.Call) -> Any:
        values = [self.value(argument) for argument in node.args]
        if len(values) == 1:
            return _truth(values[0])
        try:
            return _plain_attribute(values[0], values[1])
        except UnknownError:
            if len(values) == 3 and not hasattr(type(values[0]), str(values[1])):
                return values[2]
            raise

    def _attribute(self, node: ast.Attribute) -> Any:
        if node.attr == "requires_grad":
            return self.can_train  # of the loss, which is being computed
        return _plain_attribute(self.value(node.value), node.attr)


def _plain_attribute(holder: Any, name: str) -> Any:
    """An attribute that is stored; a property would run the program's code, unless it only hands on a stored one."""
    stored = getattr(holder, "__dict__", {})
    for place in (stored, stored.get("_modules") or {}, stored.get("_buffers") or {}):
        if name in place:
            return place[name]
    if isinstance(holder, dict) and name in holder:  # yacs, EasyDict, Munch: attributes are items
        return dict.__getitem__(holder, name)
    if isinstance(holder, enum.EnumMeta) and name in holder.__members__:
        return holder.__members__[name]
    for cls in (holder, *holder.__mro__) if isinstance(holder, type) else type(holder).__mro__:
        shared = vars(cls).get(name, UnknownError)
        if shared is UnknownError:
            continue
        if isinstance(shared, SIMPLE):
            return shared
        raise UnknownError
    if isinstance(stored.get("_content"), dict) and name in stored["_content"]:  # OmegaConf
        return _plain_attribute(stored["_content"][name], "_val")
    raise UnknownError


def _item(holder: Any, key: Any) -> Any:
    if isinstance(holder, dict) and isinstance(key, SIMPLE) and key in holder:
        return dict.__getitem__(holder, key)
    if isinstance(holder, list | tuple) and isinstance(key, int) and -len(holder) <= key < len(holder):
        return holder[key]
    raise UnknownError


def _truth(value: Any) -> bool:
    """An object's truth may run the program's code (`if tensor:`); only where it can't is it asked for."""
    if isinstance(value, SIMPLE) or not (hasattr(type(value), "__bool__") or hasattr(type(value), "__len__")):
        return bool(value)
    raise UnknownError
