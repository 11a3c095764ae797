"""`fgcrl export`: a finished run as a model for other programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from finegrained_crl import at_once
from finegrained_crl.cli.arguments import Parser
from finegrained_crl.errors import FinegrainedError

if TYPE_CHECKING:
    from finegrained_crl.export.pictures import Sample
    from finegrained_crl.training.predictor import Predictor

summary = "export a finished run as ONNX, TorchScript, torch.export or timm, checked on real pictures"
example = "fgcrl export runs/first --format onnx --out exported/first"


def main(argv: list[str]) -> int:
    """Export, compare with the run, say how they agree."""
    arguments = _parser().parse_args(argv)
    out = Path(arguments.out)
    at_once.require_absent(out)
    if arguments.check_on < 1:
        raise FinegrainedError(f"--check-on must be at least 1, got {arguments.check_on}")
    from finegrained_crl.export.exporting import ExportOptions, export_run
    from finegrained_crl.training.predictor import Predictor

    predictor = Predictor(Path(arguments.run), weights=arguments.weights, device="cpu")
    options = ExportOptions(arguments.format, arguments.opset, arguments.half, arguments.int8)
    checks = export_run(predictor, out, options, _sample(predictor, arguments.pictures, arguments.check_on))
    if arguments.json:
        facts = {what: parity.as_dict() for what, parity in checks.items()}
        print(json.dumps({"out": str(out), "format": options.kind, "checks": facts}, indent=2))
        return 0
    for what, parity in checks.items():
        print(f"{what}, {parity.text()}")
    print(f"folder: {out}")
    return 0


def _sample(predictor: Predictor, pictures: list[str], count: int) -> Sample:
    """The run's test pictures, or the user's."""
    from finegrained_crl.export.pictures import held_out_pictures, read_sample
    from finegrained_crl.training.inputs import find_inputs

    if not pictures:
        return held_out_pictures(predictor, count)
    items = [item._replace(label="") for item in find_inputs(pictures).items]
    if not items:
        raise FinegrainedError("--pictures names no picture: give files, folders, quoted globs or tables")
    return read_sample(predictor, items[:count])


def _parser() -> Parser:
    parser = Parser(prog="fgcrl export", description=summary, epilog=f"example: {example}")
    parser.add_argument("run", metavar="RUN", help="run folder")
    parser.add_argument(
        "--format", choices=("onnx", "torchscript", "torch-export", "timm"), default="onnx", help="[onnx]"
    )
    parser.add_argument("--out", metavar="DIR", required=True, help="folder to write; must not be there yet")
    parser.add_argument("--opset", type=int, default=18, metavar="N", help="ONNX opset [18]")
    parser.add_argument("--half", action="store_true", help="float16 arithmetic (ONNX)")
    parser.add_argument("--int8", action="store_true", help="int8 arithmetic, calibrated on training pictures (ONNX)")
    parser.add_argument("--weights", choices=("last", "selected"), help="which of the run's weights [its headline]")
    parser.add_argument("--check-on", type=int, default=100, metavar="N", help="pictures to compare on [100]")
    parser.add_argument("--pictures", nargs="+", default=[], metavar="PATH", help="others than the run's test part")
    parser.add_argument("--json", action="store_true", help="print as JSON")
    return parser
