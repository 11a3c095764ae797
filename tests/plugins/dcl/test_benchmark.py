"""`python tools/benchmark.py destruction`, small: it runs, and ours is ahead of the way that it is compared with."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "tools" / "benchmark.py"


@pytest.mark.skipif(not SCRIPT.exists(), reason="tools are not installed")
def test_destruction_is_faster_than_pil():
    words = ["destruction", "--size", "448", "--repeats", "2", "--json"]
    done = subprocess.run([sys.executable, str(SCRIPT), *words], capture_output=True, text=True, check=True)
    rows = {row["name"]: row for row in json.loads(done.stdout)}
    assert set(rows) == {"PIL public", "PIL blocks", "ours, worker", "ours, batch of 16 floats"}
    assert rows["ours, worker"]["ratio"] > 10  # 50 on a quiet machine
    assert rows["ours, batch of 16 floats"]["ratio"] > 2  # 12 on a quiet machine
