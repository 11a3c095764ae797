"""The order in which files of tests are handed to the workers: those that take longest first.

A file runs on one worker. One that begins near the end, and starts processes, leaves the other worker without work;
pytest-xdist's own order, by the number of tests, puts just these last (`--no-loadscope-reorder` turns it off).
"""

from __future__ import annotations

from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
LONGEST = (
    "retrofit/test_shapes.py",
    "test_doc_commands.py",
    "cli/test_crossval.py",
    "reports/page/test_in_the_browser.py",
    "retrofit/test_started_processes.py",
    "cli/test_integrity.py",
    "cli/test_finetune.py",
    "reports/page/test_page.py",
    "retrofit/test_faithful.py",
    "retrofit/test_programs.py",
    "probes/test_study.py",
    "retrofit/test_learn.py",
    "training/test_ranks.py",
    "networks/test_registry.py",
    "cli/test_main.py",
    "cli/test_export.py",
    "attacks/test_study_story.py",
    "losses/test_competing_ratio.py",
    "retrofit/shims/test_install.py",
)
"""By `pytest --durations`; a file that is missing here is handed out later, in the order of the folders."""


def rank(item: pytest.Item) -> int:
    """Place of a test's file among the longest; all others stand behind these, in their order."""
    name = item.path.relative_to(TESTS).as_posix() if item.path.is_relative_to(TESTS) else ""
    return LONGEST.index(name) if name in LONGEST else len(LONGEST)
