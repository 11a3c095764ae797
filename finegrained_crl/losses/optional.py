"""Libraries that only some losses need: imported where used, with the command that installs them."""

from __future__ import annotations

import importlib
from typing import Any

EXTRAS = {"pytorch_metric_learning": "metric", "coral_pytorch": "ordinal", "dlordinal": "ordinal"}


def import_optional(module: str) -> Any:
    """Import a library of an extra, or say how to install it.

    Args:
        module: dotted name, "dlordinal.losses".
    Returns:
        the imported module.
    Raises:
        ModuleNotFoundError: the library is missing; the text names the package and the command.
    """
    package = module.partition(".")[0]
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != package:
            raise
        raise ModuleNotFoundError(
            f'this loss needs {package}, which is not installed; run: pip install "finegrained-crl[{EXTRAS[package]}]"',
            name=error.name,
        ) from error
