"""The cores that this process may use, which on a cluster are fewer than the machine has."""

from __future__ import annotations

import os


def available_cores() -> int:
    """Cores of the process's affinity; of the machine, on systems that have none."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
