"""CRL in other people's programs, unedited.

`with retrofit():` and `retrofit_criterion(obj)` are for notebooks, `fgcrl retrofit` is for programs. The names load
torch when they are first used, because scanning a repository needs none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from finegrained_crl.retrofit.inprocess import retrofit
    from finegrained_crl.retrofit.losses.replacement import log_probability_loss
    from finegrained_crl.retrofit.losses.twin import retrofit_criterion

__all__ = ["log_probability_loss", "retrofit", "retrofit_criterion"]
_HOMES = {
    "log_probability_loss": "losses.replacement",
    "retrofit": "inprocess",
    "retrofit_criterion": "losses.twin",
}


def __getattr__(name: str) -> Any:
    """Import a public name on first use (PEP 562)."""
    if name in _HOMES:
        import importlib

        return getattr(importlib.import_module(f"finegrained_crl.retrofit.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'finegrained_crl.retrofit' has no attribute '{name}'")
