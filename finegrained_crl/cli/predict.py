"""`fgcrl predict`: classes and probabilities of pictures by a finished run."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from finegrained_crl import escaping, files
from finegrained_crl.cli.arguments import Parser
from finegrained_crl.errors import FinegrainedError

summary = "classify pictures with a finished run"
example = "fgcrl predict runs/first photos/ --out preds.csv"


def main(argv: list[str]) -> int:
    """Write one CSV row per picture: class, probability, the five most probable classes; exit code 1 where one can't be
    read.
    """
    from finegrained_crl.training.inputs import find_pictures
    from finegrained_crl.training.predictor import Predictor

    arguments = _parser().parse_args(argv)
    if arguments.batch_size < 1:
        raise FinegrainedError(f"--batch-size must be at least 1, got {arguments.batch_size}")
    predictor = Predictor(Path(arguments.run), weights=arguments.weights, device=arguments.device)
    paths = [path for given in arguments.paths for path in find_pictures(given, arguments.path_column)]
    convert = True if arguments.convert_images else None
    predictions = predictor.predict(paths, batch_size=arguments.batch_size, convert=convert)
    table, errors = predictions.table, predictions.errors
    text = table.map(escaping.csv_cell).to_csv(index=False)
    if arguments.out:
        files.write_text(Path(arguments.out), text)
    if arguments.json:
        records = table.to_dict("records")
        print(
            json.dumps({"images": len(table), "out": arguments.out, "predictions": records, "errors": errors}, indent=2)
        )
    elif arguments.out:
        print(f"{len(table)} predictions in {arguments.out}")
    else:
        print(text, end="")
    for error in errors.values():
        print(f"not classified: {escaping.plain(error)}", file=sys.stderr)
    return 1 if errors else 0


def _parser() -> Parser:
    parser = Parser(prog="fgcrl predict", description=summary, epilog=f"example: {example}")
    parser.add_argument("run", metavar="RUN", help="run folder")
    parser.add_argument(
        "paths",
        metavar="PATHS",
        nargs="+",
        help="pictures (FILE#INDEX in a file of many, FILE# for all), folders, quoted globs, CSV or TSV tables",
    )
    parser.add_argument("--out", metavar="FILE", help="CSV file to write [standard output]")
    parser.add_argument("--weights", choices=("last", "selected"), help="which of the run's weights [its headline]")
    parser.add_argument(
        "--path-column", default="path", help="column of a CSV that names the pictures, relative to the CSV [path]"
    )
    parser.add_argument("--batch-size", type=int, default=32, help="pictures per forward pass [32]")
    parser.add_argument("--device", choices=("auto", "cpu"), default="auto", help="[auto]")
    parser.add_argument("--convert-images", action="store_true", help="convert CMYK, 16-bit and transparent images")
    parser.add_argument("--json", action="store_true", help="print as JSON")
    return parser
