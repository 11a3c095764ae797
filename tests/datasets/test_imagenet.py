"""ImageNet's layouts: validation pictures flat with the devkit's ground truth, or in folders."""

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from finegrained_crl.errors import FinegrainedError
from finegrained_crl_datasets.imagenet import DEVKIT, ImageNet

SYNSETS = ["n01440764", "n02012849", "n03126707"]
WORDS = ["tench, Tinca tinca", "crane", "crane"]
NUMBERS = [3, 1, 2]  # the devkit's own numbering is another than that of the synsets


@pytest.fixture
def flat(tmp_path):
    for synset in SYNSETS:
        for index in range(2):
            picture(tmp_path / "train" / synset / f"{synset}_{index}.JPEG")
    for number in range(1, 4):
        picture(tmp_path / "val" / f"ILSVRC2012_val_{number:08d}.JPEG")
    devkit = tmp_path / DEVKIT
    devkit.mkdir(parents=True)
    fields = [("ILSVRC2012_ID", "O"), ("WNID", "O"), ("words", "O")]
    rows = [*zip(NUMBERS, SYNSETS, WORDS, strict=True), (1001, "n00001740", "entity")]
    savemat(devkit / "meta.mat", {"synsets": np.array(rows, dtype=fields)[:, None]})
    (devkit / "ILSVRC2012_validation_ground_truth.txt").write_text("3\n2\n1\n")
    return tmp_path


def picture(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8)).save(path, "JPEG")


def test_flat_validation_by_the_devkits_numbers(flat):
    records = ImageNet().read(flat)
    assert records.class_names == ("tench", "crane (n02012849)", "crane (n03126707)")
    assert records.table["split"].value_counts().to_dict() == {"train": 6, "test": 3}
    test = records.table[records.table["split"] == "test"]
    assert test["path"].tolist() == [f"val/ILSVRC2012_val_{number:08d}.JPEG" for number in (1, 2, 3)]
    assert test["label"].tolist() == [0, 2, 1]
    assert (flat / test["path"].iloc[0]).is_file()
    assert ImageNet().known_counts(flat)["train"] == 1281167


def test_validation_in_folders_needs_no_devkit(tmp_path):
    for part in ("train", "val"):
        for synset in SYNSETS:
            picture(tmp_path / part / synset / "a.JPEG")
    records = ImageNet().read(tmp_path)
    assert records.class_names == tuple(SYNSETS)
    assert records.table["label"].tolist() == [0, 1, 2, 0, 1, 2]
    (tmp_path / "LOC_synset_mapping.txt").write_text("n01440764 tench, Tinca tinca\n")
    assert ImageNet().read(tmp_path).class_names[0] == "tench"
    picture(tmp_path / "val" / "n99999999" / "a.JPEG")
    with pytest.raises(FinegrainedError, match="synset n99999999 has no folder in"):
        ImageNet().read(tmp_path)


@pytest.mark.parametrize(
    ("truth", "problem"),
    [
        ("3\n2\n", r"ground_truth\.txt: 2 lines for 3 pictures in"),
        ("3\n2\n7\n", r"ground_truth\.txt, line 3: class 7 is not in meta\.mat"),
        ("3\n2\n1001\n", r"synset n00001740 has no folder in"),
    ],
)
def test_a_ground_truth_that_does_not_fit(flat, truth, problem):
    (flat / DEVKIT / "ILSVRC2012_validation_ground_truth.txt").write_text(truth)
    with pytest.raises(FinegrainedError, match=problem):
        ImageNet().read(flat)


def test_a_devkit_of_something_else(flat):
    savemat(flat / DEVKIT / "meta.mat", {"a": 1})
    with pytest.raises(FinegrainedError, match=r"meta\.mat: no 'synsets' with ILSVRC2012_ID, WNID and words"):
        ImageNet().read(flat)


def test_folders_that_are_missing(tmp_path):
    with pytest.raises(FinegrainedError, match=r"train: no such folder\. Ask for it at"):
        ImageNet().read(tmp_path)
    (tmp_path / "train").mkdir()
    with pytest.raises(FinegrainedError, match=r"train: no folder by synset"):
        ImageNet().read(tmp_path)
