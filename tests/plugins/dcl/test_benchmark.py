"""`python tools/benchmark.py destruction`, small: it runs, and ours is ahead of the way that it is compared with."""

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
def test_destruction_is_faster_than_pil():
    words = ["destruction", "--size", "448", "--repeats", "2", "--json"]
    done = run_benchmark(*words)
    assert done.returncode == 0
    rows = {row["name"]: row for row in json.loads(done.stdout)}
    assert set(rows) == {"PIL public", "PIL blocks", "ours, worker", "ours, batch of 16 floats"}
    assert rows["ours, worker"]["ratio"] > 10  # 50 on a quiet machine
    assert rows["ours, batch of 16 floats"]["ratio"] > 2  # 12 on a quiet machine
