"""`fgcrl power`: what a study can show, from a pilot study or from assumptions; without torch."""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

from finegrained_crl.cli.arguments import Parser
from finegrained_crl.errors import FinegrainedError, nearest
from finegrained_crl.metrics.catalogue import Figure, primary_figure
from finegrained_crl.statistics.power import Design, Plan, Sources, assumed, plans, power, seeds_needed

summary = "the smallest difference that a study can show, and what more folds, seeds or people buy"
example = "fgcrl power studies/faces --difference 1"
ASSUMPTIONS = {
    "run": 1.0,
    "fold": 1.0,
    "taste": 20.0,
    "disagree": 30.0,
    "people": 1000.0,
    "folds": 5.0,
    "seeds": 3.0,
}
"""What is assumed where neither a pilot nor a word says otherwise: points and percent, see `statistics.power`."""


class Question(NamedTuple):
    """What is asked: of which figure, and what is known of its chance."""

    text: str
    figure: Figure
    sources: Sources
    design: Design


def main(argv: list[str]) -> int:
    """Print the table of plans, and draw it where asked to."""
    parsed = _parser().parse_args(argv)
    if bool(parsed.study) == (parsed.assume is not None):
        raise FinegrainedError("give a study as the pilot, or --assume (with SETTING=VALUE, or bare), and not both")
    asked = _of_study(parsed) if parsed.study else _of_assumptions(parsed.assume)
    design = asked.design._replace(**{k: v for k, v in _sizes(parsed).items() if v})
    asked = asked._replace(design=design)
    rows = plans(asked.sources, design, wanted=parsed.power)
    if parsed.json:
        print(json.dumps(_as_json(asked, rows, parsed), indent=2))
    else:
        _show(asked, rows, parsed)
    if parsed.out:
        from finegrained_crl.reports.power_curves import draw_power

        if parsed.out.suffix not in (".png", ".svg", ".pdf"):
            raise FinegrainedError(f"--out {parsed.out}: give a .png, .svg or .pdf file")
        print(draw_power(asked.sources, design, asked.figure, parsed.power, parsed.out))
    return 0


def _sizes(parsed: argparse.Namespace) -> dict[str, int | None]:
    return {"folds": parsed.folds, "seeds": parsed.seeds, "comparisons": parsed.comparisons}


def _of_study(parsed: argparse.Namespace) -> Question:
    from finegrained_crl.crossval.collect import collect
    from finegrained_crl.reports.pilot import read_pilot

    pilot = read_pilot(
        collect(Path(parsed.study)), variant=parsed.variant, baseline=parsed.baseline, figure=parsed.figure
    )
    unseen = "" if pilot.seeds_differ else "; one seed: chance in training can't be told apart from the folds'"
    text = f"{pilot.variant} against {pilot.baseline} in {parsed.study}{unseen}"
    return Question(text, pilot.figure, pilot.sources, pilot.design)


def _of_assumptions(words: list[str]) -> Question:
    values = ASSUMPTIONS | dict(map(_assumption, words))
    folds, seeds = int(values["folds"]), int(values["seeds"])
    shares = {name: values[name] / 100 for name in ("run", "fold", "taste", "disagree")}
    sources = assumed(**shares, people=int(values["people"]), folds=folds)
    text = "assumed: " + ", ".join(f"{name} {value:g}" for name, value in values.items())
    return Question(text, primary_figure(ordered=False), sources, Design(folds, seeds))


def _assumption(word: str) -> tuple[str, float]:
    name, equals, text = word.partition("=")
    if name not in ASSUMPTIONS:
        raise FinegrainedError(f"--assume {word}: {nearest(name, list(ASSUMPTIONS))}")
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    whole = name in ("people", "folds", "seeds")
    if not equals or not 0 <= value < 1e9 or (whole and (value < 1 or value != int(value))):
        kind = "a whole number from 1" if whole else "a number from 0"
        raise FinegrainedError(f"--assume {word}: expected {name}={kind}")
    return name, value


def _show(asked: Question, rows: list[Plan], parsed: argparse.Namespace) -> None:
    from finegrained_crl.cli.show import print_table

    scale, unit = _unit(asked.figure)
    deviations = {name: scale * math.sqrt(value) for name, value in asdict(asked.sources).items()}
    print(asked.text)
    print(
        f"one pair of runs differs by chance, deviation in {unit}: "
        + ", ".join(f"{name} {value:.2f}" for name, value in deviations.items())
    )
    lines = [_line(row, scale) for row in rows]
    title = f"smallest difference found in {100 * parsed.power:g} % of studies ({asked.figure.title})"
    print_table(title, ("folds", "seeds", "people", f"difference ({unit})"), lines)
    if parsed.difference is not None:
        print(_answer(asked, parsed.difference / scale, parsed.difference, unit, parsed.power))


def _line(row: Plan, scale: float) -> list[str]:
    smallest = f"{scale * row.smallest:.2f}" if math.isfinite(row.smallest) else "none: it can claim nothing"
    return [str(row.design.folds), str(row.design.seeds), f"x {row.people:g}", smallest]


def _answer(asked: Question, difference: float, shown: float, unit: str, wanted: float) -> str:
    share = 100 * power(difference, asked.sources, asked.design)
    seeds = seeds_needed(difference, asked.sources, asked.design, wanted=wanted)
    now = f"a true difference of {shown:g} {unit} is found in {share:.0f} % of such studies"
    if seeds is None:
        return f"{now}; no number of seeds brings that to {100 * wanted:g} %: more folds or people would"
    return f"{now}; {seeds} seeds bring that to {100 * wanted:g} %"


def _unit(figure: Figure) -> tuple[float, str]:
    return (100.0, "points") if figure.percent else (1.0, figure.unit or figure.title)


def _as_json(asked: Question, rows: list[Plan], parsed: argparse.Namespace) -> dict[str, object]:
    table = [
        {
            **row.design._asdict(),
            "people": row.people,
            "smallest": row.smallest if math.isfinite(row.smallest) else None,
        }
        for row in rows
    ]
    answer: dict[str, object] = {
        "of": asked.text,
        "figure": asked.figure.name,
        "power": parsed.power,
        "variances": asdict(asked.sources),
        "plans": table,
    }
    if parsed.difference is not None:
        difference = parsed.difference / _unit(asked.figure)[0]
        answer["power_at_difference"] = power(difference, asked.sources, asked.design)
        answer["seeds_needed"] = seeds_needed(difference, asked.sources, asked.design, wanted=parsed.power)
    return answer


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _parser() -> Parser:
    parser = Parser(prog="fgcrl power", description=summary, epilog=f"example: {example}")
    parser.add_argument("study", nargs="?", metavar="STUDY", help="a study to learn the variation from")
    parser.add_argument(
        "--assume",
        nargs="*",
        metavar="SETTING=VALUE",
        help="instead of a study: run, fold, taste (points), disagree (%% of pictures), people, folds, seeds",
    )
    parser.add_argument("--variant", help="which comparison of the study [the first]")
    parser.add_argument("--baseline", metavar="VARIANT", help="with what it is compared [as the report chooses]")
    parser.add_argument("--figure", metavar="NAME", help="name as in results.json [top1_accuracy or exact_accuracy]")
    parser.add_argument("--folds", type=_count, metavar="N", help="folds of the study that is planned [the pilot's]")
    parser.add_argument("--seeds", type=_count, metavar="N", help="its seeds per fold and variant [the pilot's]")
    parser.add_argument("--comparisons", type=_count, metavar="N", help="its differences to a baseline [the pilot's]")
    parser.add_argument("--power", type=_share, default=0.8, metavar="SHARE", help="power wanted [0.8]")
    parser.add_argument("--difference", type=_positive, metavar="D", help="how many seeds find this one (points)?")
    parser.add_argument("--out", type=Path, metavar="FILE", help="draw it: .png, .svg or .pdf")
    parser.add_argument("--json", action="store_true", help="print as JSON")
    return parser


def _count(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 10_000:
        raise argparse.ArgumentTypeError(f"must be from 1 to 10000, got {text}")
    return number


def _share(text: str) -> float:
    number = float(text)
    if not 0.05 < number < 1:
        raise argparse.ArgumentTypeError(f"must be above 0.05 and below 1, got {text}")
    return number


def _positive(text: str) -> float:
    number = float(text)
    if not 0 < number < 1e9:
        raise argparse.ArgumentTypeError(f"must be above 0, got {text}")
    return number
