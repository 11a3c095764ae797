"""`fgcrl explain`: heat maps of what a finished run's model used in a picture, as PNG."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finegrained_crl import escaping
from finegrained_crl.cli.arguments import Parser
from finegrained_crl.errors import FinegrainedError

if TYPE_CHECKING:
    from finegrained_crl.training.explain import Explanation
    from finegrained_crl.training.predictor import Predictor

summary = "show what a finished run's model used in a picture (Grad-CAM and more), as PNG"
example = "fgcrl explain runs/first bird.jpg --out explained"


def main(argv: list[str]) -> int:
    """Write one PNG per picture: the photograph, Grad-CAM, and what the method adds; a row per run."""
    from finegrained_crl.training.inputs import find_pictures
    from finegrained_crl.training.predictor import Predictor

    arguments = _parser().parse_args(argv)
    out = Path(arguments.out)
    if out.exists() and not out.is_dir():
        raise FinegrainedError(f"--out {out} is a file: give a folder")
    folders = [arguments.run, *arguments.beside]
    predictors = {
        folder: Predictor(Path(folder), weights=arguments.weights, device=arguments.device) for folder in folders
    }
    paths = [path for given in arguments.images for path in find_pictures(given)]
    rows: list[dict[str, Any]] = []
    errors: dict[str, str] = {}
    for path, name in zip(paths, distinct_names(paths), strict=True):
        try:
            rows.append(_explain(predictors, path, arguments.class_name, out / f"{name}.png"))
        except FinegrainedError as error:
            if len(paths) == 1:
                raise
            errors[str(path)] = str(error)
        else:
            if not arguments.json:
                print(f"{rows[-1]['png']}  {escaping.plain(rows[-1]['caption'])}")
    if arguments.json:
        print(json.dumps({"images": rows, "errors": errors}, indent=2))
    for text in errors.values():
        print(f"not explained: {escaping.plain(text)}", file=sys.stderr)
    return 1 if errors else 0


def _explain(predictors: dict[str, Predictor], path: Path, class_name: str | None, target: Path) -> dict[str, Any]:
    from finegrained_crl.reports.panels import draw_panels
    from finegrained_crl.training.explain import explain

    explanations = {folder: explain(predictor, path, class_name) for folder, predictor in predictors.items()}
    first, of_first = next(iter(predictors.values())), next(iter(explanations.values()))
    truth = true_class(first, path)
    caption = f"{path.name}: {_shares(of_first)}" + (f"; true class {truth}" if truth else "")
    rows = {f"{folder}: {_shares(found)}": found.panels for folder, found in explanations.items()}
    draw_panels(rows, caption, target)
    return {
        "path": str(path),
        "png": str(target),
        "caption": caption,
        "predicted": of_first.predicted,
        "explained": of_first.explained,
        "true_class": truth,
        "top": [{"class": label, "probability": round(share, 6)} for label, share in of_first.top],
        "panels": [panel.title for panel in of_first.panels],
    }


def _shares(explanation: Explanation) -> str:
    """The three most probable classes; the chosen one first where a decoder chose another than the most probable."""
    text = ", ".join(f"{name} {100 * share:.1f} %" for name, share in explanation.top)
    return (
        text if explanation.predicted == explanation.top[0][0] else f"{explanation.predicted} by the decoder ({text})"
    )


def true_class(predictor: Predictor, path: Path) -> str | None:
    """The class of a picture, where the run's own predictions list it or its folder is called like one; None where
    nobody knows.
    """
    import pandas as pd

    listed = pd.read_parquet(predictor.run.predictions, columns=["path", "label"]).drop_duplicates("path")
    data, resolved = Path(predictor.recipe.data), path.resolve()
    for name, label in zip(listed["path"], listed["label"], strict=True):
        if resolved.name == Path(name).name and resolved in ((data / name).resolve(), (data.parent / name).resolve()):
            return predictor.class_names[int(label)]
    folder = path.resolve().parent.name
    return folder if folder in predictor.class_names else None


def distinct_names(paths: list[Path]) -> list[str]:
    """File names without suffix, numbered where two would be one file (also on a system that takes `A` for `a`).

    >>> distinct_names([Path("a.jpg"), Path("b/a.png"), Path("a_2.jpg")])
    ['a', 'a_3', 'a_2']
    """
    stems = {path.stem.lower() for path in paths}
    taken: set[str] = set()
    names = []
    for path in paths:
        name, number = path.stem, 1
        while name.lower() in taken or (number > 1 and name.lower() in stems):
            number += 1
            name = f"{path.stem}_{number}"
        taken.add(name.lower())
        names.append(name)
    return names


def _parser() -> Parser:
    parser = Parser(prog="fgcrl explain", description=summary, epilog=f"example: {example}")
    parser.add_argument("run", metavar="RUN", help="run folder")
    parser.add_argument("images", metavar="IMAGE", nargs="+", help="pictures, folders, quoted globs, CSV or TSV tables")
    parser.add_argument("--out", metavar="DIR", default="explained", help="folder for the PNG files [explained]")
    parser.add_argument("--class", dest="class_name", metavar="NAME", help="class to explain [the predicted one]")
    parser.add_argument("--beside", metavar="RUN", nargs="+", default=[], help="more runs, a row each: CE beside CRL")
    parser.add_argument("--weights", choices=("last", "selected"), help="which of the run's weights [its headline]")
    parser.add_argument("--device", choices=("auto", "cpu"), default="auto", help="[auto]")
    parser.add_argument("--json", action="store_true", help="print as JSON")
    return parser
