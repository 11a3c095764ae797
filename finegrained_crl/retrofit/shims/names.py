"""The shims by name: what each does, without importing any."""

from __future__ import annotations

from collections.abc import Iterable

from finegrained_crl.errors import FinegrainedError, nearest

SHIMS = {
    "cpu": (
        "on a machine without CUDA, .cuda() and devices named cuda mean the CPU; torch.cuda.is_available() stays False"
    ),
    "old-torch": (
        "what code for torch 0.3 to 1.x and its time needs: async=, loss.data[0], volatile=, verbose= of schedulers, "
        "torch.load of whole objects, names that Python, numpy, PIL, scipy and torchvision dropped"
    ),
}


def check_shims(names: Iterable[str]) -> list[str]:
    """Refuse unknown names.

    Raises:
        FinegrainedError: a name is unknown; the nearest known one is suggested.
    """
    shims = list(dict.fromkeys(name.strip() for name in names))
    for name in shims:
        if name not in SHIMS:
            raise FinegrainedError(f"unknown shim '{name}': {nearest(name, SHIMS)}")
    return shims


def shim_help() -> str:
    """The shims for --help."""
    return "\n\nshims (nothing is changed unless asked for; each use is listed in the receipt):\n" + "\n".join(
        f"  {name:11} {line}" for name, line in SHIMS.items()
    )
