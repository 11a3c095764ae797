"""What a table of millions of rows costs before the first picture is read: load, fingerprint, split, validation, audit.

    python tools/benchmark.py scale                          # 2,700,000 rows, 10,000 classes (iNaturalist's size)
    python tools/benchmark.py scale --rows 300000 --classes 1000

The rows are drawn from a seed; subjects have three pictures each. Pictures are not there: their files are looked for
all the same, as for real ones.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from finegrained_crl.cli.show import print_table
from finegrained_crl.data.audit import audit, parts_of
from finegrained_crl.data.folds import cut_validation, hold_out
from finegrained_crl_datasets.table import Table

summary = "seconds and memory of a table of millions of rows"
ROOT = Path(__file__).resolve().parents[2]


def main(argv: list[str]) -> int:
    """Draw a table, measure in a process of its own, print what each step took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=2_700_000)
    parser.add_argument("--classes", type=int, default=10_000)
    parser.add_argument("--table", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args(argv)
    if asked.table:
        return measure(asked.table)
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "rows.parquet"
        draw(table, asked.rows, asked.classes)
        print(f"{asked.rows:,} rows, {asked.classes:,} classes")
        command = [sys.executable, str(ROOT / "tools" / "benchmark.py"), "scale", "--table", str(table)]
        return subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"}).returncode


def draw(path: Path, rows: int, classes: int) -> None:
    """A table whose classes have pictures in both parts, and subjects about three."""
    random = np.random.default_rng(0)
    label = random.integers(0, classes, rows)
    label[: 2 * classes] = np.tile(np.arange(classes), 2)
    split = np.where(random.random(rows) < 0.04, "test", "train")
    split[: 2 * classes] = np.repeat(["train", "test"], classes)
    paths = [f"{part}/{kind:05}/{i:07}.jpg" for i, (part, kind) in enumerate(zip(split, label, strict=True))]
    names = np.char.add("species ", label.astype(str))
    subject = random.integers(0, max(rows // 3, 1), rows).astype(str)
    columns = {"path": paths, "label": names, "split": split, "subject": subject}
    pd.DataFrame(columns).to_parquet(path)


def measure(table: Path) -> int:
    """Each step's wall and CPU seconds, and the largest memory so far."""
    rows: list[tuple[str, str, str, str]] = []

    def step(name: str, work: Callable[[], Any]) -> Any:
        wall, cpu = time.perf_counter(), time.process_time()
        result = work()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        rows.append((name, f"{wall:.1f}", f"{cpu:.1f}", f"{peak:.2f}"))
        return result

    records = step("load and check", lambda: Table().read(table, labels_only=True))
    step("fingerprint of the rows", records.fingerprint)
    parts = step("train and test", lambda: hold_out(records))
    step("validation part, subjects kept together", lambda: cut_validation(records, parts.train, 0.1, 0))
    with_parts = records.table.assign(part=parts_of(records))
    groupings = {"subject": "subject"}
    step("audit of labels", lambda: audit(with_parts, "rows", groupings=groupings, root=None, near=-1))
    rows.append(("in all", *(f"{sum(float(row[place]) for row in rows):.1f}" for place in (1, 2)), rows[-1][3]))
    print_table("", ("step", "seconds", "of CPU", "GiB so far"), rows)
    return 0
