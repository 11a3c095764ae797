"""`python tools/reproduction.py STUDY .. --out docs/reproduction.md`: published numbers beside ours, from study
folders."""

import argparse
import sys
from pathlib import Path

from finegrained_crl import files
from finegrained_crl.crossval.collect import collect
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.reports.reproduction import reproduction
from finegrained_crl.reports.study import study_figures
from finegrained_crl.studies import find_study
from finegrained_crl.studies.catalogue import study_files


def main(argv: list[str]) -> int:
    """Read the studies, write the page."""
    parser = argparse.ArgumentParser(prog="tools/reproduction.py", description=__doc__)
    parser.add_argument("studies", nargs="*", metavar="STUDY", help="folders of studies made with --study")
    parser.add_argument("--out", default="docs/reproduction.md", help="[docs/reproduction.md]")
    asked = parser.parse_args(argv)
    try:
        collected = [collect(Path(folder)) for folder in asked.studies]
        reports = [(one, study_figures(one)) for one in collected]
        text = reproduction([find_study(name) for name in study_files()], reports)
        files.write_text(Path(asked.out), text)
    except FinegrainedError as error:
        print(f"tools/reproduction.py: error: {error}", file=sys.stderr)
        return 1
    print(asked.out)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
