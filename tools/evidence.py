"""Does CRL beat cross-entropy? Runs the probe studies of docs/evidence.md and writes its tables.

    python tools/evidence.py --data ../shared/data --weights FILE --out studies/evidence [--only cars27 ..]

Every study gives all losses one tuning budget: the grid of rates and weight decays, chosen on validation. What stands
in the page is what `fgcrl report` wrote of each study, nothing else.
"""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "evidence.md"
START, END = "<!-- tables: tools/evidence.py -->", "<!-- end -->"
LOSSES = "--losses ce crl --controls poly1"
"""SM-Softmax is CRL in every digit at beta = 1, which the first study shows; the others leave it out."""
SELECT = "--select val lr weight_decay"
TUNED = f"--grid lr=0.001,0.003,0.01,0.03,0.1 weight_decay=0.03,0.1,0.3,1 {SELECT}"
"""Wide enough that hardly a choice falls on an edge; up to a weight decay of .01 cross-entropy loses 1.6 points."""
MAP = (
    "--losses ce crl --grid lr=0.003,0.01,0.03 weight_decay=0.03,0.1,0.3"
    f" loss.alpha=0.25,0.5,1,1.5,3 loss.beta=0.25,0.5,1,2 {SELECT}"
)
CARS27 = (
    "--dataset table --dataset.path-column filename --dataset.label-column class_name --dataset.image-root cars_train"
)
FACES = (
    "--dataset table --dataset.path-column filename --dataset.label-column age_group_index --dataset.num-classes 8"
    " --dataset.class-name-column age_group --dataset.image-root images --dataset.ordered"
)
CIFAR = "--dataset table --dataset.path-column path --dataset.label-column label --image-size 96"
TWENTY = "--seeds " + " ".join(map(str, range(20)))
TEN = "--seeds " + " ".join(map(str, range(10)))
STUDIES = {
    "cars27": ("27 car classes, 783 / 337 pictures", f"{CARS27} {LOSSES} soft-margin {TUNED} {TWENTY}"),
    "cars27-smoothing": ("the same, label smoothing .1", f"{CARS27} {LOSSES} {TUNED} {TWENTY} --label-smoothing 0.1"),
    "cars27-noise20": ("the same, 20 % of labels wrong", f"{CARS27} {LOSSES} {TUNED} {TWENTY} --label-noise 0.2"),
    "cars27-noise40": ("the same, 40 % wrong", f"{CARS27} {LOSSES} {TUNED} {TWENTY} --label-noise 0.4"),
    "cars27-imbalance": ("the same, long tail 10 : 1", f"{CARS27} {LOSSES} {TUNED} {TWENTY} --imbalance 10"),
    "cars27-hidden": (
        "the same, one hidden layer of 256",
        f"{CARS27} {LOSSES} --grid lr=0.01,0.03,0.1 weight_decay=0.01,0.1,1 {SELECT} {TEN} --hidden 256",
    ),
    "cars27-map": ("the same, alpha x beta", f"{CARS27} {MAP} {TEN}"),
    "cars196": (
        "196 car classes at 128 px, 5,688 / 2,456 pictures",
        # A few pictures are near copies of one on the other side; that is no matter of one loss more than of another.
        f"{CARS27} --allow-leaks --image-size 128 {LOSSES} --grid lr=0.03,0.1,0.3 weight_decay=0.001,0.01,0.1 {SELECT}"
        f" {TWENTY} --cached-views 1 --batch-size 256",
    ),
    "utkface": ("eight age groups", f"{FACES} {LOSSES} {TUNED} {TWENTY}"),
    "cifar10": (
        "CIFAR-10 (JPEG copy), 50,000 / 10,000",
        f"{CIFAR} {LOSSES} --grid lr=0.01,0.03,0.1 weight_decay=0.0001,0.001,0.01 {SELECT} {TEN}"
        " --cached-views 0 --batch-size 512 --epochs 10",
    ),
}
"""Name -> title, flags beside those that all share."""
MOST_ROWS = 30
FOLDERS = {
    "cars27": "stanford_cars_audi_bmw_crops/labels.csv",
    "cars196": "stanford_cars_train_crops_128/labels.csv",
    "utkface": "utkface_subset/labels.csv",
}


def main() -> int:
    """Run what is missing, report, write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the data sets")
    parser.add_argument("--weights", type=Path, required=True, help="weights of tf_efficientnet_lite0")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", nargs="*", choices=STUDIES, help="some of the studies")
    parser.add_argument("--threads", type=int, default=0)
    asked = parser.parse_args()
    for name in asked.only or STUDIES:
        run_study(name, asked)
    write_page(asked.out)
    return 0


def run_study(name: str, asked: argparse.Namespace) -> None:
    """Train the heads that are missing, and report."""
    family = name.partition("-")[0]
    data = pictures_of_cifar(asked.data, asked.out) if family == "cifar10" else asked.data / FOLDERS[family]
    shared = f"--recipe probe --backbone tf_efficientnet_lite0 --threads {asked.threads}"
    words = [*shared.split(), *STUDIES[name][1].split(), "--weights", str(asked.weights), "--data", str(data)]
    features = ["--features", str(asked.out / "features" / family)]
    fgcrl("probe", *words, *features, "--out", str(asked.out / name))
    fgcrl("report", str(asked.out / name))


def pictures_of_cifar(data: Path, out: Path) -> Path:
    """CIFAR-10's JPEG copy as files and a table."""
    table = out / "cifar10-pictures" / "labels.csv"
    if table.is_file():
        return table
    frame = pd.read_parquet(data / "cifar10_jpeg" / "cifar10.parquet")
    rows = []
    for i, row in frame.iterrows():
        path = Path(str(row["split"])) / f"{i}.jpg"
        (table.parent / path).parent.mkdir(parents=True, exist_ok=True)
        (table.parent / path).write_bytes(row["image"])
        rows.append({"path": str(path), "label": f"class {row['label']}", "split": row["split"]})
    pd.DataFrame(rows).to_csv(table, index=False)
    return table


def fgcrl(*words: str) -> None:
    """Run a command of this checkout."""
    print("fgcrl", *words, flush=True)
    subprocess.run([sys.executable, "-m", "finegrained_crl", *words], check=True, cwd=ROOT)


def write_page(out: Path) -> None:
    """Put each study's headline and differences between the marks of docs/evidence.md."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(START)
    _, _, after = rest.partition(END)
    PAGE.write_text(before + START + "\n\n" + tables(out) + "\n" + END + after, encoding="utf-8")


def tables(out: Path) -> str:
    """One section per finished study."""
    lines = io.StringIO()
    for name, (title, _) in STUDIES.items():
        report = out / name / "report.md"
        if report.is_file():
            lines.write(f"### {title}\n\n")
            lines.writelines(f"{line}\n\n" for line in report.read_text().splitlines() if line.startswith("> "))
            lines.write(_section(report.read_text(), "## Means with intervals"))
            lines.write(_of_headline(_section(report.read_text(), "## Differences from")))
            lines.write(
                "Settings chosen on validation, seeds averaged; what tuning bought is test less mean of grid:\n\n"
            )
            lines.write(_section(report.read_text(), "## Settings chosen"))
    return lines.getvalue()


def _of_headline(table: str) -> str:
    """Of many variants' differences, those in the first figure alone: the others stand in the report."""
    rows = table.strip().splitlines()
    if len(rows) <= MOST_ROWS:
        return table
    figure = rows[2].split("|")[2]
    return "\n".join([*rows[:2], *(row for row in rows[2:] if row.split("|")[2] == figure)]) + "\n\n"


def _section(report: str, start: str) -> str:
    """The table below a heading that starts so, without its text."""
    _, found, rest = report.partition(start)
    rows = [line for line in rest.split("\n## ")[0].splitlines() if line.startswith("|")] if found else []
    return "\n".join(rows) + "\n\n" if rows else ""


if __name__ == "__main__":
    sys.exit(main())
