from pathlib import Path

import pytest

from finegrained_crl.data.verify import verify
from finegrained_crl.errors import FinegrainedError
from finegrained_crl_datasets.adience import Adience
from finegrained_crl_datasets.demo_faces import make_demo_faces


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "faces"
    make_demo_faces(folder, subjects_per_group=20, photos_per_subject=1, size=32)
    return folder


def test_is_a_sound_adience_folder_that_says_it_is_drawn(faces: Path) -> None:
    report = verify(Adience(), "adience", faces)
    assert report.ok, report.advice
    assert "demo-faces (generated, seed 0" in report.protocol
    assert report.classes == 8
    assert min(report.per_class.values()) > 0
    assert len(report.per_fold) == 5


def test_has_the_traps_of_the_original(faces: Path) -> None:
    report = verify(Adience(), "adience", faces)
    raw = {line["raw"] for line in report.label_table}
    assert {"(25, 23)", "(38, 42)", "None", "13"} <= raw
    assert report.repeated_rows > 0
    assert (
        len(Adience(duplicates="drop").read(faces))
        < len(Adience().read(faces))
        < len(Adience(label_policy="nearest").read(faces))
    )
    assert {"f", "m"} < set(Adience().read(faces).table["gender"])


def test_nobody_is_in_two_folds(faces: Path) -> None:
    table = Adience().read(faces).table
    assert table.groupby("subject")["fold"].nunique().max() == 1
    assert table.groupby("user_id")["fold"].nunique().max() == 1


def test_same_seed_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        make_demo_faces(tmp_path / name, subjects_per_group=5, photos_per_subject=1, size=32)
    files = [sorted(p for p in (tmp_path / name).rglob("*") if p.is_file()) for name in ("one", "two")]
    assert [p.read_bytes() for p in files[0]] == [p.read_bytes() for p in files[1]]


def test_every_fold_needs_somebody_of_every_group(tmp_path: Path) -> None:
    with pytest.raises(FinegrainedError, match="subjects_per_group must be from 5 to 500, got 4"):
        make_demo_faces(tmp_path / "f", subjects_per_group=4)
