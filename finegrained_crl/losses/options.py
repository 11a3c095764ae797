"""PyTorch's options of a loss, written once: their types, their defaults, their help, and how a constructor's signature
shows them.

A loss writes `**options: Unpack[PyTorchOptions]` and hands them on; `complete` puts them back into the signature and
the docstring, so that `help()`, `repr` and tools that read signatures see the whole constructor.
"""

from __future__ import annotations

import inspect
import typing
from typing import Any, TypedDict, Unpack

from torch import Tensor


class RowOptions(TypedDict, total=False):
    """Options of every loss that has one value per labelled row."""

    weight: Tensor | None
    ignore_index: int
    reduction: str


class PyTorchOptions(RowOptions, total=False):
    """Options of `torch.nn.CrossEntropyLoss`."""

    label_smoothing: float


DEFAULTS: dict[str, Any] = {"weight": None, "ignore_index": -100, "reduction": "mean", "label_smoothing": 0.0}
HELP = {
    "weight": "float, (num_classes,), factor per class; a buffer.",
    "ignore_index": "class index that contributes neither value nor count.",
    "reduction": '"none", "mean" or "sum".',
    "label_smoothing": "share of the target spread over all classes, in [0, 1].",
}


def complete(cls: type) -> None:
    """Write the options that a class takes as `**options` into its signature and its docstring.

    Args:
        cls: a class whose constructor ends with `**options: Unpack[...]`; any other is left as it is.
    """
    written = inspect.signature(cls.__init__)  # type: ignore[misc]  # the class's own, not an instance's
    _, *own = written.parameters.values()
    cls.__signature__ = written.replace(parameters=own)  # type: ignore[attr-defined]  # a subclass would show its base's
    hint = typing.get_type_hints(cls.__init__).get(own[-1].name) if own else None  # type: ignore[misc]
    if typing.get_origin(hint) is not Unpack:
        return
    hints = typing.get_type_hints(typing.get_args(hint)[0])
    added = [
        inspect.Parameter(n, inspect.Parameter.KEYWORD_ONLY, default=DEFAULTS[n], annotation=hints[n]) for n in hints
    ]
    positional = [p for p in own if p.kind is p.POSITIONAL_OR_KEYWORD]
    keyword_only = [p for p in own if p.kind is p.KEYWORD_ONLY]
    cls.__signature__ = written.replace(parameters=[*positional, *added, *keyword_only])  # type: ignore[attr-defined]
    cls.__doc__ = _with_arguments(inspect.cleandoc(cls.__doc__ or ""), list(hints))


def _with_arguments(doc: str, names: list[str]) -> str:
    """The docstring with the options' lines at the end of its `Args`, put before `Raises` where it has none."""
    lines = [*doc.splitlines(), ""]
    if "Args:" not in lines:
        lines.insert(lines.index("Raises:") if "Raises:" in lines else len(lines) - 1, "Args:")
    start = lines.index("Args:") + 1
    end = next(i for i, line in enumerate(lines[start:], start) if not line.startswith("    "))
    lines[end:end] = [f"    {name}: {HELP[name]}" for name in names]
    return "\n".join(lines).rstrip()
