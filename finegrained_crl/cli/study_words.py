"""`--study NAME`: a study file as the words that one would have typed; words typed beside it count more."""

from __future__ import annotations

import json
from typing import Any

from finegrained_crl.cli import parsing
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.studies import find_study
from finegrained_crl.studies.study_file import AS_PRINTED
from finegrained_crl.training.recipe import COMPONENTS


def with_study(words: list[str]) -> list[str]:
    """The words with those of the study before them.

    Args:
        words: normalised arguments.
    Raises:
        FinegrainedError: `--part` or `--scale` without a study, or what `find_study` and `StudyFile.plan` raise.
    """
    name = parsing.peek(words, "--study")
    part, scale = parsing.peek(words, "--part"), parsing.peek(words, "--scale")
    if name is None:
        if part or scale:
            raise FinegrainedError("--part and --scale are of a study: add --study, `fgcrl list studies` shows them")
        return words
    plan = find_study(name).plan(part, scale or AS_PRINTED)
    return [word for key, value in plan.items() for word in _words(key, value)] + words


def parts_of(words: list[str]) -> list[str]:
    """The parts of the study that words name without choosing one of them; none where they choose, or name no study."""
    name = parsing.peek(words, "--study")
    if name is None or parsing.peek(words, "--part"):
        return []
    return list(find_study(name).parts)


def _words(key: str, value: Any) -> list[str]:
    flag = "--" + key.replace("_", "-")
    if key in COMPONENTS:
        named = value if isinstance(value, dict) else {"name": value}
        return [f"{flag}.{option.replace('_', '-')}={_text(setting)}" for option, setting in named.items()]
    if isinstance(value, list):
        return [flag, *map(str, value)]
    return [f"{flag}={_text(value)}"]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
