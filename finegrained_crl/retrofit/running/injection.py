"""Put one statement in front of a Python function's body, in the function object itself.

Replacing `torch.nn.functional.cross_entropy` by another function would miss references taken earlier, break `is`
comparisons and add a frame to every traceback. Here the function object stays; only its code object is exchanged for
one that was compiled from the same source, at the same line numbers, with one statement more. A traceback through it
reads as without us, TorchScript still compiles the original source, and undoing it is one assignment.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable
from types import CodeType, FunctionType
from typing import Any

from finegrained_crl.errors import FinegrainedError


def inject(
    function: Callable[..., Any], hook: Callable[..., Any], name: str, seen: Callable[[Any, Any], Any] | None = None
) -> Callable[[], None]:
    """Call `hook` with the function's arguments before its body.

    Args:
        function: a Python function whose source is at hand.
        hook: takes the function's parameters by position.
        name: global under which the hook is stored beside the function.
        seen: None: the hook only looks. Else the hook gives (value, token): a value other than None is the function's
            result, and else `seen(result, token)` is called with what the body returns, and returns it.
    Returns:
        a function that undoes it.
    Raises:
        FinegrainedError: the source of `function` is missing or is not a plain function.
    """
    assert isinstance(function, FunctionType)
    before = function.__code__
    after = _compiled(function, name, seen is not None)
    function.__globals__[name] = hook
    function.__globals__[f"{name}_seen"] = seen
    function.__code__ = after

    def undo() -> None:
        if function.__code__ is after:
            function.__code__ = before
            function.__globals__.pop(name, None)
            function.__globals__.pop(f"{name}_seen", None)

    return undo


def _compiled(function: FunctionType, name: str, result: bool) -> CodeType:
    definition = _definition(function)
    call = f"{name}({', '.join(_parameters(definition))})"
    if result:
        _tell_results(definition, name)
        call = f"{name}_value, {name}_token = {call}\nif {name}_value is not None: return {name}_value"
    prologue = ast.parse(call).body
    for node in [n for statement in prologue for n in ast.walk(statement)]:
        if "lineno" in node._attributes:
            node.lineno = node.end_lineno = definition.lineno  # type: ignore[attr-defined]
    skip = 1 if ast.get_docstring(definition, clean=False) is not None else 0
    definition.body[skip:skip] = prologue
    code = _code_of(definition, function.__code__)
    if code.co_freevars != function.__code__.co_freevars:
        raise FinegrainedError(
            f"{function.__qualname__} of this torch version can't be instrumented; please report its version"
        )
    return code


def _tell_results(definition: ast.FunctionDef, name: str) -> None:
    """`return x` becomes `return name_seen(x, name_token)`; x keeps its position, so that tracebacks stay the same."""
    for node in ast.walk(definition):
        if isinstance(node, ast.Return) and node.value is not None:
            arguments = [node.value, ast.Name(f"{name}_token", ast.Load())]
            told = ast.Call(ast.Name(f"{name}_seen", ast.Load()), arguments, [])
            node.value = ast.fix_missing_locations(ast.copy_location(told, node.value))


def _definition(function: FunctionType) -> ast.FunctionDef:
    try:
        lines, first = inspect.getsourcelines(function)
    except OSError as error:
        raise FinegrainedError(
            f"the source of {function.__module__}.{function.__qualname__} is not installed ({error})"
        ) from error
    definition = ast.parse(textwrap.dedent("".join(lines))).body[0]
    if not isinstance(definition, ast.FunctionDef):
        raise FinegrainedError(
            f"{function.__module__}.{function.__qualname__} was replaced before `fgcrl retrofit` could reach it"
        )
    ast.increment_lineno(definition, first - 1)
    definition.decorator_list = []
    return definition


def _parameters(definition: ast.FunctionDef) -> list[str]:
    arguments = definition.args
    return [a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]


def _code_of(definition: ast.FunctionDef, like: CodeType) -> CodeType:
    """Compile the definition; inside a class statement where `super()` needs one."""
    body: list[ast.stmt] = [definition]
    if "__class__" in like.co_freevars:
        holder = ast.ClassDef("_", [], [], body, [])
        holder.type_params = []  # type: ignore[attr-defined]  # Python 3.12 asks for it
        body = [ast.copy_location(holder, definition)]
    module = ast.Module(body, [])
    code: Any = compile(module, like.co_filename, "exec", dont_inherit=True)
    while not (isinstance(code, CodeType) and code.co_name == definition.name):
        code = next(c for c in code.co_consts if isinstance(c, CodeType))
    return code.replace(co_qualname=like.co_qualname, co_firstlineno=like.co_firstlineno)
