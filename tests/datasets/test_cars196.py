from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from finegrained_crl.errors import FinegrainedError
from finegrained_crl_datasets.cars196 import Cars196

BOX = [("bbox_x1", "O"), ("bbox_y1", "O"), ("bbox_x2", "O"), ("bbox_y2", "O")]
NAMES = np.array(["Audi A", "BMW B"], dtype=object)


def annotations(path: Path, rows: list[tuple[object, ...]], fields: list[tuple[str, str]], **more: object) -> None:
    savemat(path, {"annotations": np.array([(1, 2, 3, 4, *row) for row in rows], dtype=BOX + fields), **more})


@pytest.fixture
def devkit(tmp_path: Path) -> Path:
    for folder in ("cars_train", "cars_test", "devkit"):
        (tmp_path / folder).mkdir()
    savemat(tmp_path / "devkit" / "cars_meta.mat", {"class_names": NAMES})
    fields = [("class", "O"), ("fname", "O")]
    annotations(tmp_path / "devkit" / "cars_train_annos.mat", [(1, "1.jpg"), (2, "2.jpg"), (2, "3.jpg")], fields)
    annotations(tmp_path / "devkit" / "cars_test_annos.mat", [("1.jpg",), ("2.jpg",)], [("fname", "O")])
    return tmp_path


def with_test_labels(path: Path) -> None:
    annotations(path, [(2, "1.jpg"), (1, "2.jpg")], [("class", "O"), ("fname", "O")])


def test_training_part_alone_says_what_is_missing(devkit: Path) -> None:
    records = Cars196().read(devkit)
    assert records.table["path"].tolist() == ["cars_train/1.jpg", "cars_train/2.jpg", "cars_train/3.jpg"]
    assert records.table["label"].tolist() == [0, 1, 1]
    assert list(records.dropped.values()) == [2]
    assert "cars_test_annos_withlabels.mat" in next(iter(records.dropped))
    assert "training part only" in records.protocol


@pytest.mark.parametrize("place", ["devkit", "."])
def test_test_labels_beside_the_devkit_or_in_it(devkit: Path, place: str) -> None:
    with_test_labels(devkit / place / "cars_test_annos_withlabels.mat")
    records = Cars196().read(devkit)
    assert records.table["split"].tolist() == ["train"] * 3 + ["test"] * 2
    assert records.table["label"].tolist() == [0, 1, 1, 1, 0]
    assert records.table["path"].iloc[3] == "cars_test/1.jpg"
    assert records.dropped == {}
    assert Cars196().known_counts(devkit)["test"] == 8041


def test_flat_layout(tmp_path: Path) -> None:
    (tmp_path / "car_ims").mkdir()
    fields = [("relative_im_path", "O"), ("class", "O"), ("test", "O")]
    rows: list[tuple[object, ...]] = [("car_ims/1.jpg", 1, 0), ("car_ims/2.jpg", 2, 1)]
    annotations(tmp_path / "cars_annos.mat", rows, fields, class_names=NAMES)
    records = Cars196().read(tmp_path)
    assert records.table["split"].tolist() == ["train", "test"]
    assert records.class_names == ("Audi A", "BMW B")
    assert records.table["bbox_x2"].tolist() == [3, 3]
    assert "flat" in records.protocol


def test_class_beyond_the_names(devkit: Path) -> None:
    annotations(devkit / "devkit" / "cars_train_annos.mat", [(3, "1.jpg")], [("class", "O"), ("fname", "O")])
    with pytest.raises(FinegrainedError, match=r"cars_train_annos\.mat: row 1 has class 3, there are 1\.\.2"):
        Cars196().read(devkit)


def test_not_a_matlab_file(devkit: Path) -> None:
    (devkit / "devkit" / "cars_meta.mat").write_text("<html>404</html>" * 50)
    with pytest.raises(FinegrainedError, match=r"cars_meta\.mat is not a MATLAB file"):
        Cars196().read(devkit)


def test_empty_folder_explains_the_dead_download(tmp_path: Path) -> None:
    with pytest.raises(FinegrainedError, match=r"no cars_train_annos\.mat in .* is dead"):
        Cars196().read(tmp_path)


@pytest.mark.realdata
def test_real_labels(shared_data: Path) -> None:
    data = shared_data / "stanford_cars_meta"
    records = Cars196().read(data, labels_only=True)
    assert len(records) == Cars196().known_counts(data)["train"] == 8144
    assert records.num_classes == 196
    assert list(records.dropped.values()) == [8041]


def test_a_list_whose_classes_are_no_numbers(devkit: Path) -> None:
    fields = [("class", "O"), ("fname", "O")]
    annotations(devkit / "devkit" / "cars_train_annos.mat", [("one", "1.jpg"), ("two", "2.jpg")], fields)
    with pytest.raises(FinegrainedError, match="field 'class' must hold one number a row; download it again"):
        Cars196().read(devkit)
