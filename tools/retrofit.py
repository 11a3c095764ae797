"""`python tools/retrofit.py ...` is `fgcrl retrofit ...` from a checkout."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "plugins"), str(ROOT / "datasets")]

from finegrained_crl.cli.main import run_command  # noqa: E402  (the path comes first)

if __name__ == "__main__":
    sys.exit(run_command("retrofit", sys.argv[1:]))
