"""`fgcrl predict`: classes and probabilities of pictures by a finished run."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finegrained_crl.cli import predict_faces
from finegrained_crl.cli.answer_table import ErrorTable, LabelCount, RowFile
from finegrained_crl.cli.arguments import Parser
from finegrained_crl.errors import FinegrainedError

if TYPE_CHECKING:
    from finegrained_crl.data.reading import ReadBatch
    from finegrained_crl.training.answers import Answers
    from finegrained_crl.training.inputs import Inputs
    from finegrained_crl.training.predictor import Predictor

summary = "classify pictures, videos or a camera with a finished run"
example = "fgcrl predict runs/first photos/ --out preds.csv"


@dataclass(frozen=True)
class Told:
    """What was done with all inputs.

    Attributes:
        count: rows.
        labels: what the user's tables state of them.
        errors: of the others.
        kept: the rows, for --json; else none.
    """

    count: int
    labels: LabelCount
    errors: ErrorTable
    kept: list[dict[str, Any]]


def main(argv: list[str]) -> int:
    """Write one CSV row per picture as answers come; exit code 1 where a picture can't be read."""
    from finegrained_crl.training.inputs import find_inputs
    from finegrained_crl.training.predictor import Predictor

    arguments = _parser().parse_args(argv)
    _check(arguments)
    predictor = Predictor(Path(arguments.run), weights=arguments.weights, device=arguments.device)
    how = {"top": arguments.top, "calibrate": arguments.calibrate, "max_risk": arguments.max_risk}
    answers = predictor.answers(**how, interval=arguments.interval)
    inputs = find_inputs(arguments.paths, arguments.path_column, arguments.label_column)
    told = _classify(predictor, answers, inputs, arguments)
    _tell(arguments, answers, told)
    return 1 if told.errors.count else 0


def _classify(predictor: Predictor, answers: Answers, inputs: Inputs, arguments: argparse.Namespace) -> Told:
    out, kept = Path(arguments.out) if arguments.out else None, []
    labels, count = LabelCount(predictor.class_names, arguments.top), 0
    is_silent = arguments.json and out is None
    columns = predict_faces.columns(answers.columns) if arguments.faces else answers.columns
    table = contextlib.nullcontext() if is_silent else RowFile(out, columns)
    errors = ErrorTable(_errors_path(arguments), always=bool(arguments.errors), keep=arguments.json)
    with errors, table as rows, _ended_by_hand(inputs):
        for batch, of_batch in _answered(predictor, answers, inputs, arguments, errors):
            labels.add(batch.labels, of_batch)
            count += len(of_batch)
            if rows:
                rows.add(of_batch)
            if arguments.json:
                kept += of_batch
    return Told(count, labels, errors, kept)


@contextlib.contextmanager
def _ended_by_hand(inputs: Inputs) -> Iterator[None]:
    """A camera has no end of its own: interrupting it ends the table instead of losing it."""
    from finegrained_crl.data.video import is_camera

    try:
        yield
    except KeyboardInterrupt:
        if not any(map(is_camera, inputs.streams)):
            raise


def _answered(
    predictor: Predictor, answers: Answers, inputs: Inputs, arguments: argparse.Namespace, errors: ErrorTable
) -> Iterator[tuple[ReadBatch, list[dict[str, Any]]]]:
    """Each batch with its rows; what could not be read goes to the errors."""
    from finegrained_crl.training.input_batches import input_batches

    if arguments.faces:
        yield from predict_faces.answered(predictor, answers, inputs, arguments, errors)
        return
    batches = input_batches(
        predictor,
        inputs,
        convert=True if arguments.convert_images else None,
        batch_size=arguments.batch_size,
        workers=arguments.workers,
        every=arguments.every,
        most=arguments.frames,
    )
    for batch, scores in predictor.scored(batches):
        errors.add(batch.errors)
        yield batch, answers.rows(batch.names, scores)


def _errors_path(arguments: argparse.Namespace) -> Path | None:
    if arguments.errors:
        return Path(arguments.errors)
    if not arguments.out or (Path(arguments.out).exists() and not Path(arguments.out).is_file()):
        return None
    return Path(arguments.out).with_suffix(".errors.csv")


def _tell(arguments: argparse.Namespace, answers: Answers, told: Told) -> None:
    """What was done, behind the rows: on standard output where they went into a file."""
    if arguments.json:
        facts = {"images": told.count, "out": arguments.out, "calibration": answers.calibration.text}
        facts |= {"threshold": vars(answers.threshold) if answers.threshold else None, "accuracy": told.labels.facts()}
        print(json.dumps({**facts, "predictions": told.kept, "errors": told.errors.kept}, indent=2))
        return
    stream = sys.stdout if arguments.out else sys.stderr
    if arguments.out:
        done = "" if answers.calibration.text == "none" else f", probabilities by {answers.calibration.text}"
        print(f"{told.count} predictions in {arguments.out}{done}")
    for text in (_abstains(answers), told.labels.text(), told.errors.summary):
        if text:
            print(text, file=stream)


def _abstains(answers: Answers) -> str:
    threshold = answers.threshold
    if threshold is None:
        return ""
    coverage, error, bound = (100 * share for share in (threshold.coverage, threshold.error, threshold.bound))
    return (
        f"abstains below probability {threshold.confidence:.4f}: of the validation part {coverage:.1f} % are answered,"
        f" {error:.2f} % of these wrongly; at most {bound:.2f} % with 95 % confidence"
    )


def _check(arguments: argparse.Namespace) -> None:
    predict_faces.check(arguments)
    least = {"--batch-size": arguments.batch_size, "--top": arguments.top, "--every": arguments.every}
    if arguments.frames is not None:
        least["--frames"] = arguments.frames
    for flag, value in least.items():
        if value < 1:
            raise FinegrainedError(f"{flag} must be at least 1, got {value}")
    if arguments.interval is not None and not 0 < arguments.interval < 1:
        raise FinegrainedError(f"--interval must be a share between 0 and 1, got {arguments.interval:g}")
    if arguments.max_risk is not None and not 0 < arguments.max_risk < 1:
        raise FinegrainedError(f"--max-risk must be a share between 0 and 1 (0.05 is 5 %), got {arguments.max_risk:g}")


TOP = 5


def _parser() -> Parser:
    parser = Parser(prog="fgcrl predict", description=summary, epilog=f"example: {example}")
    _add_files(parser)
    _add_answers(parser)
    _add_pictures(parser)
    _add_machine(parser)
    parser.add_argument("--json", action="store_true", help="print as JSON, when all is done")
    return parser


def _add_files(parser: Parser) -> None:
    """What is read and written."""
    parser.add_argument("run", metavar="RUN", help="run folder")
    parser.add_argument(
        "paths",
        metavar="PATHS",
        nargs="+",
        help="pictures (FILE#INDEX in a file of many, FILE# for all), folders, quoted globs, CSV, TSV or Parquet"
        " tables, videos, camera:NUMBER, - for paths on standard input",
    )
    parser.add_argument("--out", metavar="FILE", help="CSV file to write [standard output]")
    parser.add_argument(
        "--errors",
        metavar="FILE",
        help="CSV file for what could not be read [OUT.errors.csv, where something could not]",
    )
    parser.add_argument("--weights", choices=("last", "selected"), help="which of the run's weights [its headline]")
    parser.add_argument(
        "--path-column", default="path", help="column of a table that names the pictures, relative to it [path]"
    )
    parser.add_argument(
        "--label-column", default="label", help="column of a table with their classes: prints the accuracy [label]"
    )


def _add_answers(parser: Parser) -> None:
    """What is said of a picture."""
    parser.add_argument("--top", type=int, default=TOP, metavar="K", help="most probable classes in a row [5]")
    parser.add_argument(
        "--calibrate",
        choices=("temperature", "link", "none"),
        default="none",
        help="probabilities by the temperature of the run's validation part, or by CRL's closed form [none]",
    )
    parser.add_argument(
        "--max-risk",
        type=float,
        metavar="R",
        help="abstain so that at most this share of answers is wrong (by the run's validation part)",
    )
    parser.add_argument(
        "--interval",
        type=float,
        metavar="P",
        help="of a run in years: an interval that holds the age of this share of new people, e.g. 0.9",
    )


def _add_pictures(parser: Parser) -> None:
    """What of a file is a picture."""
    parser.add_argument(
        "--faces", action="store_true", help="find faces, cut them out as the run's training pictures were: a row each"
    )
    parser.add_argument(
        "--face-margin", type=float, metavar="X", help="share of a face's box added on each side [as the run's; 0.4]"
    )
    parser.add_argument("--draw", metavar="DIR", help="new folder for the photographs with their faces marked")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="every N-th frame of videos and cameras [1]")
    parser.add_argument("--frames", type=int, metavar="N", help="so many frames of each video or camera [all]")


def _add_machine(parser: Parser) -> None:
    """How it is computed."""
    parser.add_argument("--batch-size", type=int, default=32, help="pictures per forward pass [32]")
    parser.add_argument(
        "--workers", type=int, default=-1, help="processes that decode [by the number of cores; 0 for few pictures]"
    )
    parser.add_argument("--device", choices=("auto", "cpu"), default="auto", help="[auto]")
    parser.add_argument("--convert-images", action="store_true", help="convert CMYK, 16-bit and transparent images")
