"""`python tools/benchmark.py losses`, once and small: it runs, and CRL needs no more memory than cross-entropy."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "tools" / "benchmark.py"


def run(*words):
    return subprocess.run([sys.executable, str(SCRIPT), *words], capture_output=True, text=True, check=False)


@pytest.mark.skipif(not SCRIPT.exists(), reason="tools are not installed")
def test_memory_of_crl_is_cross_entropys():
    done = run(
        "losses", "--sizes", "256x1000", "--losses", "crl", "authors", "--repeats", "2", "--threads", "1", "--json"
    )
    rows = {row["loss"]: row for row in json.loads(done.stdout)["rows"]}
    assert rows["crl"]["extra_scalars_per_row"] <= 1
    assert rows["authors"]["extra_scalars_per_row"] > 500
    assert rows["ce"]["ratio"] == 1


@pytest.mark.skipif(not SCRIPT.exists(), reason="tools are not installed")
def test_lists_what_there_is():
    done = run()
    assert done.returncode == 0
    assert "losses" in done.stdout
    assert run("nothing").returncode == 1
