"""`fgcrl explain`: heat maps of what a finished run's model used in a picture, as PNG."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from finegrained_crl.cli.arguments import Parser
from finegrained_crl.errors import FinegrainedError

summary = "show what a finished run's model used in a picture (Grad-CAM and more), as PNG"
example = "fgcrl explain runs/first bird.jpg --out explained"


def main(argv: list[str]) -> int:
    """Write one PNG per picture: the input, Grad-CAM, and what the method adds."""
    from finegrained_crl.reports.panels import draw_panels
    from finegrained_crl.training.explain import explain
    from finegrained_crl.training.predictor import Predictor, find_pictures

    arguments = _parser().parse_args(argv)
    out = Path(arguments.out)
    if out.exists() and not out.is_dir():
        raise FinegrainedError(f"--out {out} is a file: give a folder")
    predictor = Predictor(Path(arguments.run), weights=arguments.weights, device=arguments.device)
    paths = [path for given in arguments.images for path in find_pictures(given)]
    rows = []
    for path, name in zip(paths, _names(paths), strict=True):
        found = explain(predictor, path, arguments.class_name)
        caption = f"{path.name}: " + ", ".join(f"{label} {100 * share:.1f} %" for label, share in found.top)
        target = draw_panels(found.panels, caption, out / f"{name}.png")
        rows.append(_row(path, target, found))
        if not arguments.json:
            print(f"{target}  {caption}")
    if arguments.json:
        print(json.dumps({"images": rows}, indent=2))
    return 0


def _row(path: Path, target: Path, found: Any) -> dict[str, Any]:
    return {
        "path": str(path),
        "png": str(target),
        "explained": found.explained,
        "top": [{"class": label, "probability": round(share, 6)} for label, share in found.top],
        "panels": [panel.title for panel in found.panels],
    }


def _names(paths: list[Path]) -> list[str]:
    """File names without suffix; numbered where two would be the same file."""
    stems = [path.stem for path in paths]
    return [f"{stem}_{i}" if stems.count(stem) > 1 else stem for i, stem in enumerate(stems)]


def _parser() -> Parser:
    parser = Parser(prog="fgcrl explain", description=summary, epilog=f"example: {example}")
    parser.add_argument("run", metavar="RUN", help="run folder")
    parser.add_argument("images", metavar="IMAGE", nargs="+", help="pictures, folders or quoted globs")
    parser.add_argument("--out", metavar="DIR", default="explained", help="folder for the PNG files [explained]")
    parser.add_argument("--class", dest="class_name", metavar="NAME", help="class to explain [the predicted one]")
    parser.add_argument("--weights", choices=("last", "selected"), help="which of the run's weights [its headline]")
    parser.add_argument("--device", choices=("auto", "cpu"), default="auto", help="[auto]")
    parser.add_argument("--json", action="store_true", help="print as JSON")
    return parser
