"""Fixtures for methods: a miniature CUB-200-2011, and whole runs on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def small_birds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three generated species, 8 training and 4 test pictures of each, in CUB's layout."""
    from finegrained_crl_datasets.demo_birds import make_demo_birds

    root = tmp_path_factory.mktemp("birds")
    make_demo_birds(root / "birds", num_classes=3, images_per_class=12, size=64)
    return root / "birds" / "CUB_200_2011"


@pytest.fixture
def finetune_birds(small_birds: Path) -> Callable[..., int]:
    """`fgcrl finetune` on `small_birds` with a tiny backbone: a recipe's full shape in about two seconds."""
    from finegrained_crl.cli.main import main

    def run(*words: object) -> int:
        small = (
            "--backbone test_resnet --weights none --image-size 64 --epochs 2 --batch-size 8 --workers 0"
            " --decay-epochs 1"
        )
        return main(["finetune", "--dataset", "cub200", "--data", str(small_birds), *small.split(), *map(str, words)])

    return run
