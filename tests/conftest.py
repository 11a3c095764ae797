"""Fixtures for all tests."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path

# Before torch is loaded, here and in what tests start: a file has a process on each core already, and threads that wait
# for each other by spinning take the other's core (nine times the CPU seconds of a small training step).
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# What `auto` timed is kept between runs, but not between tests: nothing can be written there.
os.environ["FINEGRAINED_CRL_CACHE"] = os.devnull

import hypothesis
import pytest
from forked import fork_early, server, start_fgcrl  # noqa: F401  (fixtures)
from known_runs import knowing, known, make_session, train  # noqa: F401  (fixtures)
from longest_first import rank
from no_charts import no_charts, no_charts_here  # noqa: F401  (fixtures)
from python_forks import PythonForks
from stopped import stop_after_saves  # noqa: F401  (fixture)

from finegrained_crl.cores import available_cores

gc.disable()  # collecting imports thousands of modules, of which nothing becomes garbage; enabled at its end

# A busy machine must not fail a property; same examples in every run, so that a red test stays red.
hypothesis.settings.register_profile("steady", deadline=None, derandomize=True)
hypothesis.settings.register_profile(
    "unshrunk", hypothesis.settings.get_profile("steady"), phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate]
)
# tests/mutants wants to know that a property fails, not by which smallest example.
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One process more than cores: some test always waits for a program that it started, and a core would idle."""
    return 1 + available_cores()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Hand out the longest files first."""
    items.sort(key=rank)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Fork while nothing has been computed; look for garbage seldom, and never among the libraries."""
    if not session.config.option.collectonly:
        gc.freeze()
        gc.set_threshold(20_000, 20, 20)
        gc.enable()
        fork_early(session.items)


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keeps the hashes of the tests' pictures out of the user's own cache; processes that tests start inherit it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FINEGRAINED_CRL_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session", autouse=True)
def no_power_failure() -> Iterator[None]:
    """What tests write need not outlive this machine: waiting for the disk is a quarter of a report's time.

    Tests of what happens where `fsync` fails patch it themselves.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


@pytest.fixture(autouse=True)
def threads_as_before() -> Iterator[None]:
    """Undoes what a command in this process has set for itself (`fgcrl probe --threads`): sums depend on it."""
    yield
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(int(os.environ["OMP_NUM_THREADS"]))


@pytest.fixture(scope="session")
def forks() -> Iterator[PythonForks | None]:
    """Starts Python programs that import torch, in forks; None where that can't be done."""
    if sys.platform != "linux":
        yield None
        return
    with PythonForks() as forks:
        yield forks


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder ../shared/data beside the repository; tests that need it are skipped where it is absent, but never in
    CI."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir() and os.environ.get("CI", "").lower() != "true":
        pytest.skip(f"no real data at {folder}")
    return folder


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image folder of 3 classes x (8 train + 4 test) pictures of 40 px; the classes differ in the place of a bright
    square."""
    import numpy as np
    from PIL import Image

    root = tmp_path_factory.mktemp("tiny")
    random = np.random.default_rng(0)
    for split, count in (("train", 8), ("test", 4)):
        for label, name in enumerate(("left", "middle", "right")):
            folder = root / split / name
            folder.mkdir(parents=True)
            for i in range(count):
                pixels = random.integers(0, 120, (40, 40, 3), dtype=np.uint8)
                pixels[10:30, 2 + 13 * label : 12 + 13 * label] += 120
                Image.fromarray(pixels).save(folder / f"{i}.png")
    return root


@pytest.fixture(scope="session")
def tiny_flags(tiny_folder: Path) -> list[str]:
    """`fgcrl finetune` flags for a run of about two seconds on `tiny_folder`."""
    text = "--backbone test_resnet --weights none --image-size 32 --epochs 2 --batch-size 8 --lr 0.01 --workers 0"
    return ["--data", str(tiny_folder), *text.split()]
