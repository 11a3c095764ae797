"""The shims by name: what each does, without importing any."""

from __future__ import annotations

from collections.abc import Iterable

from finegrained_crl.errors import FinegrainedError, nearest

SHIMS = {
    "cpu": "on a machine without CUDA, .cuda() and devices named cuda mean the CPU; torch.cuda.is_available() stays False",
    "old-torch": "what torch 0.3 to 1.x had: async=, loss.data[0], volatile=, verbose= of schedulers, torch.load of whole objects ..",
    "old-python": "names that Python's standard library dropped (collections.Iterable ..)",
    "old-libs": "names that numpy, PIL, scipy and torchvision dropped (np.int, Image.ANTIALIAS, scipy.misc.imread, Scale ..)",
}


def check_shims(names: Iterable[str]) -> list[str]:
    """Refuse unknown names.

    Raises:
        FinegrainedError: a name is unknown; the nearest known one is suggested.
    """
    found = list(dict.fromkeys(name.strip() for name in names))
    for name in found:
        if name not in SHIMS:
            raise FinegrainedError(f"unknown shim '{name}': {nearest(name, SHIMS)}")
    return found


def shim_help() -> str:
    """The shims for --help."""
    return "\n\nshims (nothing is changed unless asked for; each use is listed in the receipt):\n" + "\n".join(
        f"  {name:11} {line}" for name, line in SHIMS.items()
    )
