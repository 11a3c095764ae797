"""Help for old or CUDA-only code, opt-in, each use written into the receipt.

A shim changes what today's libraries refuse into what the code meant when it was written. `torch.cuda.is_available()`
is never
touched: programs branch on it.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

from finegrained_crl.retrofit.account.ledger import Ledger
from finegrained_crl.retrofit.shims import cpu as shim_cpu
from finegrained_crl.retrofit.shims import old as shim_old

Note = Callable[[str], None]


def install_early(names: Sequence[str], ledger: Ledger) -> None:
    """What must stand before the program's first import."""
    if "old-torch" in names:
        shim_old.standard_library(_notes(ledger, "old-torch"))
        shim_old.source_code(_notes(ledger, "old-torch"))


def late_actions(names: Sequence[str], ledger: Ledger) -> dict[str, Callable[[ModuleType], None]]:
    """Module name -> what to do once it has been imported."""
    by_module: dict[str, list[Callable[[ModuleType], None]]] = {}
    if "cpu" in names:
        by_module.setdefault("torch", []).append(functools.partial(shim_cpu.torch_on_cpu, note=_notes(ledger, "cpu")))
    if "old-torch" in names:
        note = _notes(ledger, "old-torch")
        for name, action in shim_old.ACTIONS.items():
            by_module.setdefault(name, []).append(functools.partial(action, note=note))
    return {name: functools.partial(_all, each) for name, each in by_module.items()}


def _all(each: Sequence[Callable[[ModuleType], None]], module: ModuleType) -> None:
    for action in each:
        action(module)


def _notes(ledger: Ledger, shim: str) -> Note:
    """Writes down what was used, and the line of the program that used it first."""
    rows: dict[tuple[int, str], int] = {}

    def note(what: str) -> None:
        key = (ledger.generation, what)
        if key not in rows:
            rows[key] = ledger.row(kind="shim", shim=shim, what=what, site=_user_line())
        ledger.count(rows[key])

    return note


def _user_line() -> str:
    frame: Any = sys._getframe(2)
    while frame is not None:
        file = frame.f_code.co_filename
        if not (
            "site-packages" in file
            or "finegrained_crl/retrofit" in file
            or file.startswith("<frozen")
            or "/lib/python" in file
        ):
            return f"{file}:{frame.f_lineno}"
        frame = frame.f_back
    return ""
