"""`fgcrl tune`: settings chosen on validation by a random search, the same budget for every loss."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

from finegrained_crl.cli import parsing
from finegrained_crl.cli.crossval import add_flags, run_study
from finegrained_crl.cli.shortening import fitted_to_epochs
from finegrained_crl.cli.show import print_table
from finegrained_crl.cli.study_plan import ParserOf, completed, plan_study, study_parser
from finegrained_crl.crossval.collect import collect
from finegrained_crl.crossval.plan import variant_name, with_settings
from finegrained_crl.crossval.random_search import draw_settings, parse_space
from finegrained_crl.crossval.study import Study
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.training.recipe import Recipe

summary = "choose learning rate and length on validation: a seeded random search, equal budget per loss"
example = (
    "fgcrl tune --recipe demo-faces --data demo/faces --losses ce crl --budget 8 --space lr=1e-3..1e-1:log epochs=2,4"
    " --val-fraction 0.2 --out studies/tuned"
)
MOST = 1000
"""Settings of a search at most: each is a run of every loss, fold and seed."""


def main(argv: list[str]) -> int:
    """Draw, run what is missing, show what was chosen and what it reached on test."""
    words = parsing.normalise(argv)
    code = run_study(words, _parser, plan)
    parsed = _parser(words).parse(words)
    if code == 0 and not (parsed.plan or parsed.cancel or parsed.json or parsed.launcher == "slurm"):
        _show_choices(Path(parsed.out))
    return code


def plan(words: list[str], parsed: Any, threads: int, parser_of: ParserOf) -> Study:
    """The study of a search: every loss with every drawn setting; all that was drawn is chosen on validation.

    Raises:
        FinegrainedError: a budget or space that is none, no validation part, or a setting that nothing has.
    """
    if parsed.grid or parsed.select or parsed.controls is not None:
        raise FinegrainedError("fgcrl tune draws and chooses itself: leave out --grid, --select and --controls")
    if not 2 <= parsed.budget <= MOST:
        raise FinegrainedError(f"--budget must be from 2 to {MOST} settings for each loss, got {parsed.budget}")
    study = plan_study(words, parsed, threads, parser_of)
    first = next(iter(study.variants.values()))
    _require_validation(first)
    space = parse_space([*parsed.space] or _usual_space(first))
    drawn = draw_settings(space, parsed.budget, parsed.draw_seed)
    variants = {
        variant_name(name, chosen): _with(recipe, chosen) for name, recipe in study.variants.items() for chosen in drawn
    }
    if len(drawn) < parsed.budget:
        print(f"fgcrl tune: the space holds {len(drawn)} settings: all are tried", file=sys.stderr)
    return dataclasses.replace(study, variants=variants, select=tuple(space))


def _usual_space(recipe: Recipe) -> list[str]:
    """The recipe's rate within a factor of ten, its length and half of it."""
    lengths = dict.fromkeys((max(1, recipe.epochs // 2), recipe.epochs))
    return [f"lr={recipe.lr / 10!r}..{recipe.lr * 10!r}:log", f"epochs={','.join(map(str, lengths))}"]


def _with(recipe: Recipe, chosen: dict[str, Any]) -> Recipe:
    """The recipe with drawn settings; a shorter one has its warm-up and decays fitted."""
    absent = [name for name in chosen if not _has(recipe, name)]
    if absent:
        raise FinegrainedError(f"--space {absent[0]}: no such setting of loss {recipe.loss.name}, or of a recipe")
    if "epochs" in chosen:
        fitted, _ = fitted_to_epochs(["--epochs", str(chosen["epochs"])], recipe.as_dict())
        recipe = recipe.replace(warmup_epochs=fitted["warmup_epochs"], decay_epochs=fitted["decay_epochs"])
    return completed(with_settings(recipe, chosen))


def _has(recipe: Recipe, name: str) -> bool:
    kind, dot, option = name.partition(".")
    if not dot:
        return kind in recipe.as_dict() and kind not in ("seed", "fold", "split", "data", "dataset", "method", "loss")
    return kind in ("loss", "method") and option in getattr(recipe, kind).options


def _require_validation(recipe: Recipe) -> None:
    from finegrained_crl.training.assembly import read_records

    if recipe.val_fraction == 0 and not (read_records(recipe).table["split"] == "val").any():
        raise FinegrainedError("fgcrl tune chooses on a validation part, and there is none: add --val-fraction 0.15")


def _show_choices(out: Path) -> None:
    from finegrained_crl.reports.study import study_figures

    figures = study_figures(collect(out))
    primary = figures.primary
    rows = []
    for _, row in figures.choices.iterrows():
        fold = "-" if row["fold"] is None else str(row["fold"])
        reached = (primary.show(row["validation"]), primary.show(row["test"]))
        rows.append([row["variant"], row["weights"], fold, row["setting"], *reached, str(row["tried"])])
    columns = ("loss", "weights", "fold", "chosen on validation", "validation", "test", "tried")
    print_table(f"{primary.title} of the chosen settings", columns, rows)


def _parser(words: list[str]) -> parsing.SettingsParser:
    usage = (
        "fgcrl tune --budget N --out STUDY [--space SETTING=LOW..HIGH[:log] ..] [--recipe NAME|FILE] --data PATH"
        " [--losses A B ..] [any setting below]"
    )
    return study_parser(words, _add_flags, prog="fgcrl tune", usage=usage, epilog=f"example: {example}")


def _add_flags(parser: parsing.SettingsParser) -> None:
    search = parser.add_argument_group("the search")
    parsing.add_flag(search, "budget", int, 8, "settings tried for each loss (and method)")
    parsing.add_flag(
        search,
        "space",
        list[str],
        [],
        "what is drawn: lr=1e-4..1e-1:log epochs=5,10,20 .. [a tenth to ten times the rate; all or half the length]",
    )
    parsing.add_flag(search, "draw_seed", int, 0, "seed of the draws; a larger budget keeps the settings of a smaller")
    add_flags(parser)
