"""`make demo`: draw birds, fine-tune from scratch with CRL and with cross-entropy from one seed, print one table.

Running it again goes on where it stopped; `--out` chooses another folder.
"""

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "plugins"), str(ROOT / "datasets")]

from finegrained_crl.cli.main import main as fgcrl  # noqa: E402  (the path comes first)
from finegrained_crl.cli.show import print_table  # noqa: E402
from finegrained_crl.metrics.catalogue import find_figure  # noqa: E402
from finegrained_crl.reports.comparison import METRICS, compare_runs  # noqa: E402
from finegrained_crl.reports.curves import draw_curves  # noqa: E402
from finegrained_crl.training.reporter import duration  # noqa: E402

LOSSES = {"crl": "CRL", "ce": "cross-entropy"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("demo"), help="folder for the birds and the runs [demo]")
    out = parser.parse_args().out
    birds = out / "birds"
    if not birds.is_dir() and (code := fgcrl(["data", "make", "demo-birds", str(birds)])):
        return code
    runs = {loss: out / "runs" / loss for loss in LOSSES}
    for loss, folder in runs.items():
        print(f"\nfine-tuning with {LOSSES[loss]}:", file=sys.stderr, flush=True)
        words = [
            "finetune",
            "--recipe",
            "demo-birds",
            "--data",
            str(birds),
            "--loss",
            loss,
            "--out",
            str(folder),
            "--resume",
        ]
        if code := fgcrl(words):
            return code
    rows = compare_runs(list(runs.values()))
    figures = [find_figure(name) for name in METRICS]
    cells = [[LOSSES[r["loss"]], *(f.show(r[f.name]) for f in figures), duration(r["train_seconds"])] for r in rows]
    columns = ("loss", *(figure.title for figure in figures), "training time")
    print_table(
        f"demo-birds, {rows[0]['num_images']} test images, one seed (not a comparison: see docs/results.md)",
        columns,
        cells,
    )
    curves = draw_curves(
        {LOSSES[loss]: folder for loss, folder in runs.items()}, out / "curves.png", pictures=one_of_each(birds)
    )
    print(
        f"run folders: {', '.join(str(f) for f in runs.values())}\ncurves: {curves}\nthe birds:"
        f" {birds / 'CUB_200_2011' / 'images'}"
    )
    return 0


def one_of_each(birds: Path) -> dict[str, Path]:
    """Species -> its first picture."""
    folders = sorted((birds / "CUB_200_2011" / "images").iterdir())
    return {folder.name.partition(".")[2].replace("_", " "): min(folder.iterdir()) for folder in folders}


if __name__ == "__main__":
    sys.exit(main())
