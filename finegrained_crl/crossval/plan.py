"""The plan of a study: variants (what is compared) x folds x seeds = cells, each one run.

A variant is a recipe: a loss, perhaps with settings of the grid, or a control. All variants run on the same folds with
the same seeds, so that their differences can be paired.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from finegrained_crl.errors import FinegrainedError, nearest
from finegrained_crl.training.recipe import COMPONENTS, Component, Recipe

CONTROLS = ("lr", "wd", "soft-margin", "poly1")

Grid = dict[str, list[Any]]
Complete = Callable[[Recipe], Recipe]


@dataclass(frozen=True)
class Cell:
    """One run of a study.

    Attributes:
        variant: name of what is compared.
        fold: fold held out, None where the data set has none.
        seed: of the run.
        recipe: all its settings.
    """

    variant: str
    fold: int | None
    seed: int
    recipe: Recipe

    @property
    def name(self) -> str:
        """Unique in the study, and a folder name everywhere.

        >>> Cell("crl loss.alpha=2", 3, 0, Recipe()).name
        'crl_loss.alpha=2_f3_s0'
        """
        return cell_name(self.variant, self.fold, self.seed)


def cell_name(variant: str, fold: int | None, seed: int) -> str:
    """`Cell.name` of what would be a cell."""
    held_out = f"_f{fold}" if fold is not None else ""
    return f"{re.sub(r'[^A-Za-z0-9.=+-]', '_', variant)}{held_out}_s{seed}"


def make_variants(
    bases: Iterable[Recipe], grid: Grid, controls: list[str] | None, complete: Complete
) -> dict[str, Recipe]:
    """Everything that a study compares.

    Args:
        bases: one recipe per loss, its options filled in.
        grid: setting ("lr", "loss.alpha") -> values; an option of a loss goes to the losses that have it.
        controls: add `controls_of` every CRL variant: None for none, [] for all, or some of `CONTROLS`.
        complete: checks a recipe's types and fills in defaults.
    Returns:
        variant name -> recipe, in the order losses, grid, controls.
    Raises:
        FinegrainedError: a grid setting that nothing has, two variants of one name, or controls without CRL.
    """
    recipes = list(bases)
    for key in grid:
        _require_setting(key, recipes)
    variants: dict[str, Recipe] = {}
    for base in recipes:
        for chosen in _combinations(grid, base):
            _add(variants, variant_name(base.loss.name, chosen), complete(with_settings(base, chosen)))
    if controls is not None:
        wrong = [name for name in controls if name not in CONTROLS]
        if wrong:
            raise FinegrainedError(f"--controls {wrong[0]}: {nearest(wrong[0], CONTROLS)}")
        competing = {name: recipe for name, recipe in variants.items() if recipe.loss.name == "crl"}
        if not competing:
            raise FinegrainedError("--controls are for CRL: add crl to --losses")
        for of, crl in competing.items():
            beside = "".join(f" {word}" for word in of.split(" ")[1:] if not word.startswith("loss."))
            chosen_controls = controls_of(crl, controls or list(CONTROLS))
            for name, recipe in chosen_controls.items():
                _add(variants, name + beside, complete(recipe), again=True)
    return variants


def make_cells(variants: dict[str, Recipe], folds: list[int | None], seeds: list[int]) -> list[Cell]:
    """All cells; those that are compared with each other stand side by side, so that an unfinished study has whole
    pairs.

    Raises:
        FinegrainedError: a fold or seed given twice.
    """
    for what, values in (("fold", folds), ("seed", seeds)):
        doubled = [str(v) for i, v in enumerate(values) if v in values[:i]]
        if doubled:
            raise FinegrainedError(f"{what} {', '.join(doubled)} is given twice; a cell can run once")
    order = itertools.product(seeds, folds, variants.items())
    return [Cell(name, fold, seed, recipe.replace(fold=fold, seed=seed)) for seed, fold, (name, recipe) in order]


def controls_of(crl: Recipe, chosen: Iterable[str]) -> dict[str, Recipe]:
    """What CRL must beat to be more than a larger step: its gradient is CE's times up to 1 + beta / alpha.

    CE with the learning rate times that, CE with the weight decay divided by it (the same ratio of the two forces),
    SM-Softmax with m = log(1 + 1 / alpha) (coincides with CRL at beta = 1) and Poly-1 with epsilon = beta / alpha.

    Args:
        crl: recipe of a CRL variant.
        chosen: names from `CONTROLS`.
    Returns:
        variant name -> recipe.
    Raises:
        FinegrainedError: alpha is 0.
    Source: losses.md 1.2, 1.3.
    """
    alpha, beta = float(crl.loss.options["alpha"]), float(crl.loss.options["beta"])
    if alpha == 0:
        raise FinegrainedError("--controls need alpha above 0: CRL's gain 1 + beta / alpha has no bound at 0")
    gain = 1 + beta / alpha
    faster = {"lr": crl.lr * gain, "head_lr": None if crl.head_lr is None else crl.head_lr * gain}
    margin = math.log1p(1 / alpha)
    controls = {
        "lr": (f"ce lr x{gain:.4g}", crl.replace(loss=Component("ce"), **faster)),
        "wd": (f"ce wd x{1 / gain:.4g}", crl.replace(loss=Component("ce"), weight_decay=crl.weight_decay / gain)),
        "soft-margin": (f"soft-margin m={margin:.4g}", crl.replace(loss=Component("soft-margin", {"margin": margin}))),
        "poly1": (f"poly1 eps={beta / alpha:.4g}", crl.replace(loss=Component("poly1", {"epsilon": beta / alpha}))),
    }
    return dict(controls[name] for name in chosen)


def with_settings(recipe: Recipe, chosen: dict[str, Any]) -> Recipe:
    """The recipe with some settings, "loss.alpha" or "lr", changed."""
    for key, value in chosen.items():
        kind, dot, option = key.partition(".")
        if dot:
            component: Component = getattr(recipe, kind)
            value = Component(component.name, {**component.options, option: value})
        recipe = recipe.replace(**{kind: value})
    return recipe


def variant_name(loss: str, chosen: dict[str, Any]) -> str:
    """The loss and what the grid chose.

    >>> variant_name("crl", {"loss.alpha": 1.5, "lr": 0.01})
    'crl loss.alpha=1.5 lr=0.01'
    """
    return " ".join([loss, *(f"{key}={value}" for key, value in chosen.items())])


def base_name(variant: str, select: Iterable[str]) -> str:
    """A variant without the settings that are chosen on validation.

    >>> base_name("crl loss.alpha=1.5 lr=0.01", ["lr"])
    'crl loss.alpha=1.5'
    """
    keys = set(select)
    return " ".join(word for word in variant.split(" ") if word.partition("=")[0] not in keys)


def parse_grid(words: list[str]) -> Grid:
    """`["loss.alpha=1,1.5", "backbone=a,b"]` as settings and values.

    Raises:
        FinegrainedError: no "=", no value, or a value twice.

    >>> parse_grid(["loss.alpha=1,1.5", "lr=1e-4"])
    {'loss.alpha': [1, 1.5], 'lr': [0.0001]}
    """
    grid: Grid = {}
    for word in words:
        key, equals, values = word.partition("=")
        key = key.lstrip("-").replace("-", "_")
        chosen = [_value(text.strip()) for text in values.split(",") if text.strip()]
        if not equals or not chosen:
            raise FinegrainedError(f"--grid {word}: expected SETTING=VALUE,VALUE, e.g. loss.alpha=1,1.5,2")
        if key in grid or len(set(map(str, chosen))) < len(chosen):
            raise FinegrainedError(f"--grid {word}: the same setting or value twice; give each once")
        grid[key] = chosen
    return grid


def _value(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return {"true": True, "false": False, "null": None, "none": None}.get(text.lower(), text)


def _combinations(grid: Grid, base: Recipe) -> list[dict[str, Any]]:
    settings = {
        key: values for key, values in grid.items() if not key.startswith("loss.") or key[5:] in base.loss.options
    }
    return [dict(zip(settings, values, strict=True)) for values in itertools.product(*settings.values())]


def _require_setting(key: str, recipes: list[Recipe]) -> None:
    plain = [k for k in recipes[0].as_dict() if k not in (*COMPONENTS, "fold", "seed", "data")]
    options = {
        f"{kind}.{option}" for recipe in recipes for kind in COMPONENTS for option in getattr(recipe, kind).options
    }
    if key in ("fold", "seed", "loss"):
        raise FinegrainedError(f"--grid {key}: give these with --{key}{'es' if key == 'loss' else 's'}")
    if key not in plain and key not in options:
        raise FinegrainedError(
            f"--grid {key}: no such setting of these losses; {nearest(key, [*plain, *options]).partition(' Known:')[0]}"
        )


def _add(variants: dict[str, Recipe], name: str, recipe: Recipe, *, again: bool = False) -> None:
    if name in variants and not (again and variants[name] == recipe):
        raise FinegrainedError(f"two variants are called '{name}': give each loss, and each value of the grid, once")
    variants[name] = recipe
