import hashlib
from itertools import combinations
from pathlib import Path

import pytest

from finegrained_crl.data.verify import verify
from finegrained_crl.errors import FinegrainedError
from finegrained_crl_datasets.cub200 import Cub200
from finegrained_crl_datasets.demo_birds import SPECIES, make_demo_birds


def digest(folder: Path) -> str:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return hashlib.sha256(b"".join(str(p.relative_to(folder)).encode() + p.read_bytes() for p in files)).hexdigest()


def test_species_all_differ() -> None:
    assert all(one != other for one, other in combinations(SPECIES.values(), 2))


def test_is_a_sound_cub_folder_that_says_it_is_drawn(tmp_path: Path) -> None:
    make_demo_birds(tmp_path / "birds", num_classes=3, images_per_class=4, size=32)
    report = verify(Cub200(), "cub200", tmp_path / "birds")
    assert report.ok, report.advice
    assert report.per_split == {"train": 9, "test": 3}
    assert "demo-birds (generated, seed 0" in report.protocol
    box = Cub200().read(tmp_path / "birds").table[["bbox_x", "bbox_y", "bbox_width", "bbox_height"]]
    assert (box["bbox_width"] > 8).all()
    assert (box["bbox_x"] + box["bbox_width"] <= 32).all()


def test_same_seed_same_bytes(tmp_path: Path) -> None:
    for name, seed in (("one", 1), ("two", 1), ("three", 2)):
        make_demo_birds(tmp_path / name, num_classes=2, images_per_class=3, size=32, seed=seed)
    assert digest(tmp_path / "one") == digest(tmp_path / "two") != digest(tmp_path / "three")


def test_never_writes_into_a_folder_in_use(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(FinegrainedError, match="is there already and not empty; name a new folder"):
        make_demo_birds(tmp_path)
    with pytest.raises(FinegrainedError, match="num_classes must be from 2 to 16, got 17"):
        make_demo_birds(tmp_path / "new", num_classes=17)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_an_interrupted_drawing_leaves_nothing(tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_demo_birds(tmp_path / "birds", num_classes=2, images_per_class=3, size=32, progress=stop)
    assert list(tmp_path.iterdir()) == []
