"""Stanford Cars: 196 models of cars, in both layouts that are in use."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from finegrained_crl.data.layout import first_holding, require_file, require_folder
from finegrained_crl.data.matlab import read_mat
from finegrained_crl.data.records import Records, make_records
from finegrained_crl.errors import FinegrainedError

BOX_COLUMNS = ("bbox_x1", "bbox_y1", "bbox_x2", "bbox_y2")
NO_TEST_LABELS = (
    "test image without a label: put cars_test_annos_withlabels.mat into devkit/ to evaluate on the official test part"
)


@dataclass(frozen=True)
class Cars196:
    """Reader of Stanford Cars (Krause et al. 2013); extra columns: the bounding box in pixels."""

    summary: ClassVar[str] = "Stanford Cars, 196 car models, official train/test split"
    where: ClassVar[str] = (
        "The official address (ai.stanford.edu/~jkrause/cars) is dead; mirrors on Kaggle and Hugging Face have the same"
        " files. Put cars_train/, cars_test/ and devkit/ (cars_meta.mat, cars_train_annos.mat,"
        " cars_test_annos_withlabels.mat) into one folder, or car_ims/ and cars_annos.mat, and give it as --data"
    )

    def read(self, data: Path, *, labels_only: bool = False) -> Records:
        """Read whichever layout lies below `data` (see `DataSource.read`)."""
        require_folder(data, self.where)
        if (data / "cars_annos.mat").is_file():
            return _read_flat(data, labels_only, self.where)
        return _read_devkit(data, labels_only, self.where)

    def known_counts(self, data: Path) -> dict[str, int]:
        """The published counts; those of the training part alone where the test labels are not there."""
        flat = (data / "cars_annos.mat").is_file()
        if flat or _test_labels(_devkit(require_folder(data, self.where), self.where), data):
            return {"images": 16185, "classes": 196, "train": 8144, "test": 8041}
        return {"images": 8144, "classes": 196, "train": 8144, "test": 0}


def _read_flat(root: Path, labels_only: bool, where: str) -> Records:
    """car_ims/ with one list of all images; its file numbers are not those of cars_train/ and cars_test/."""
    if not labels_only:
        require_folder(root / "car_ims", where)
    path = root / "cars_annos.mat"
    content = read_mat(path)
    names = _names(content, path)
    columns = _rows(content, path, "", "relative_im_path", len(names))
    is_test = _numbers(_annotations(content, path), "test", path)
    columns["split"] = np.where(is_test == 1, "test", "train")
    return make_records(
        columns, class_names=names, root=root, protocol="Stanford Cars, official train/test split (flat layout)"
    )


def _read_devkit(root: Path, labels_only: bool, where: str) -> Records:
    """cars_train/ and cars_test/ with the lists of the devkit."""
    devkit = _devkit(root, where)
    labelled = _test_labels(devkit, root)
    if not labels_only:
        for folder in ("cars_train", *(["cars_test"] if labelled else [])):
            require_folder(root / folder, where)
    meta = require_file(devkit / "cars_meta.mat", where)
    names = _names(read_mat(meta), meta)
    parts = {"train": devkit / "cars_train_annos.mat"} | ({"test": labelled} if labelled else {})
    tables = {
        split: _rows(read_mat(path), path, f"cars_{split}/", "fname", len(names)) for split, path in parts.items()
    }
    columns = {name: np.concatenate([table[name] for table in tables.values()]) for name in tables["train"]}
    columns["split"] = np.concatenate([np.full(len(table["label"]), split) for split, table in tables.items()])
    part = "official train/test split" if labelled else "official training part only (no test labels)"
    dropped = {} if labelled else _unlabelled(devkit)
    return make_records(columns, class_names=names, root=root, protocol=f"Stanford Cars, {part}", dropped=dropped)


def _devkit(root: Path, where: str) -> Path:
    return first_holding([root / "devkit", root], "cars_train_annos.mat", where)


def _test_labels(devkit: Path, root: Path) -> Path | None:
    """The list of test images with classes, a download of its own that is often put beside the devkit."""
    for folder in (devkit, root):
        path = folder / "cars_test_annos_withlabels.mat"
        if path.is_file():
            return path
    return None


def _unlabelled(devkit: Path) -> dict[str, int]:
    path = devkit / "cars_test_annos.mat"
    if not path.is_file():
        return {}
    fields = _annotations(read_mat(path), path)
    return {NO_TEST_LABELS: max(len(values) for values in fields.values())}


def _names(content: dict[str, Any], path: Path) -> tuple[str, ...]:
    names = content.get("class_names")
    if not isinstance(names, list) or not names:
        raise FinegrainedError(f"{path}: no 'class_names' in it; download it again")
    return tuple(str(name) for name in names)


def _rows(content: dict[str, Any], path: Path, folder: str, file_field: str, num_classes: int) -> dict[str, Any]:
    """Path, 0-based label (the files count from 1) and box of each row."""
    rows = _annotations(content, path)
    labels = _numbers(rows, "class", path).astype(np.int64)
    wild = np.flatnonzero((labels < 1) | (labels > num_classes))
    if len(wild):
        raise FinegrainedError(
            f"{path}: row {wild[0] + 1} has class {labels[wild[0]]}, there are 1..{num_classes}; download it again"
        )
    boxes = {name: _numbers(rows, name, path) for name in BOX_COLUMNS if name in rows}
    return {
        "path": np.array([folder + str(name) for name in _field(rows, file_field, path)]),
        "label": labels - 1,
        **boxes,
    }


def _annotations(content: dict[str, Any], path: Path) -> dict[str, list[Any]]:
    """Field -> value of each row."""
    rows = content.get("annotations")
    if not isinstance(rows, dict) or not rows:
        raise FinegrainedError(f"{path}: no 'annotations' in it; download it again")
    return rows


def _field(rows: dict[str, list[Any]], name: str, path: Path) -> list[Any]:
    if name not in rows:
        raise FinegrainedError(
            f"{path}: the annotations have no field '{name}'; is it the right file? Download it again"
        )
    return rows[name]


def _numbers(rows: dict[str, list[Any]], name: str, path: Path) -> np.ndarray:
    try:
        return np.asarray(_field(rows, name, path), dtype=np.float64)
    except (ValueError, TypeError) as error:
        raise FinegrainedError(f"{path}: field '{name}' must hold one number a row; download it again") from error


dataset = Cars196
