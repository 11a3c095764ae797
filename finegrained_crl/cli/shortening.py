"""`--epochs N` on a recipe: what the recipe sets in epochs is fitted to the new length, unless the user set it too.

Somebody who types `--epochs 1` wants one epoch: neither an error about a warm-up that they never set, nor 55 epochs of
a first stage.
"""

from __future__ import annotations

import inspect
from typing import Any

from finegrained_crl.cli import parsing, settings
from finegrained_crl.training.recipe import Component, Recipe

STAGE_SUFFIX = "_epochs"
"""Options of a method that end so count the epochs of a stage of its own."""


def fitted_to_epochs(words: list[str], base: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Fit a recipe to a smaller `--epochs`.

    Args:
        words: normalised arguments.
        base: the recipe file's values, {} for none.
    Returns:
        the values with warm-up, decays and the method's own stages fitted; what was changed, for the user.
    """
    asked = parsing.peek(words, "--epochs")
    before = base.get("epochs", Recipe.epochs)
    if asked is None or not asked.isdigit() or not isinstance(before, int) or not 1 <= int(asked) < before:
        return base, []
    epochs = int(asked)
    changed: dict[str, Any] = {}
    warmup = base.get("warmup_epochs", 0)
    if not _is_flagged(words, "warmup_epochs") and isinstance(warmup, int) and warmup >= epochs:
        changed["warmup_epochs"] = epochs - 1
    # What is no list of numbers is told by the parser, which reads the recipe next.
    given_decays = base.get("decay_epochs")
    are_numbers = isinstance(given_decays, list) and all(isinstance(decay, int) for decay in given_decays)
    decays: list[int] = given_decays if are_numbers else []  # type: ignore[assignment]
    if not _is_flagged(words, "decay_epochs") and any(decay >= epochs for decay in decays):
        changed["decay_epochs"] = sorted({max(1, round(decay * epochs / before)) for decay in decays})
    method, stages = _stages(words, base, epochs / before)
    notes = [f"{name} {value}" for name, value in {**changed, **stages}.items()]
    if stages:
        changed["method"] = {"name": method.name, **method.options, **stages}
    return {**base, **changed}, notes


def _is_flagged(words: list[str], name: str) -> bool:
    return parsing.peek(words, "--" + name.replace("_", "-")) is not None


def _stages(words: list[str], base: dict[str, Any], share: float) -> tuple[Component, dict[str, int]]:
    """The method as the recipe has it, and its stages' epochs in proportion."""
    given = base.get("method") or {}
    of_file = given if isinstance(given, dict) else {"name": given}
    name = parsing.peek(words, "--method.name") or str(of_file.get("name", Recipe().method.name))
    options = {key: value for key, value in of_file.items() if key != "name"} if of_file.get("name") == name else {}
    epochs: dict[str, int] = {}
    for option, parameter in inspect.signature(settings.component_class("method", name)).parameters.items():
        value = options.get(option, parameter.default)
        if (
            option.endswith(STAGE_SUFFIX)
            and isinstance(value, int)
            and value > 0
            and not _is_flagged(words, f"method.{option}")
        ):
            epochs[option] = max(1, round(value * share))
    return Component(name, options), epochs
