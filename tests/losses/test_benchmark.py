"""`python tools/benchmark.py losses`, once and small: it runs, and CRL needs no more memory than cross-entropy."""

import json

import pytest
import torch
from tool_scripts import needs_tools, run_benchmark


@pytest.fixture(autouse=True)
def same_threads():
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@needs_tools
def test_memory_of_crl_is_cross_entropys():
    done = run_benchmark(
        "losses", "--sizes", "256x1000", "--losses", "crl", "authors", "--repeats", "2", "--threads", "1", "--json"
    )
    rows = {row["loss"]: row for row in json.loads(done.stdout)["rows"]}
    assert rows["crl"]["extra_scalars_per_row"] <= 1
    assert rows["authors"]["extra_scalars_per_row"] > 500
    assert rows["ce"]["ratio"] == 1


@needs_tools
def test_lists_what_there_is():
    done = run_benchmark()
    assert done.returncode == 0
    assert "losses" in done.stdout
    assert run_benchmark("nothing").returncode == 1
