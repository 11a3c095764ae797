"""CUB-200-2011: 200 bird species in the official layout of text files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from finegrained_crl.data.layout import first_holding, read_note, require_file, require_folder, text_lines
from finegrained_crl.data.records import Records, make_records
from finegrained_crl.errors import FinegrainedError

BOX_COLUMNS = ("bbox_x", "bbox_y", "bbox_width", "bbox_height")


@dataclass(frozen=True)
class Cub200:
    """Reader of CUB-200-2011 (Wah et al. 2011); extra columns: the bounding box in pixels, where bounding_boxes.txt is
    there.
    """

    summary: ClassVar[str] = "CUB-200-2011, 200 bird species, official train/test split"
    where: ClassVar[str] = (
        "Download CUB_200_2011.tgz from https://www.vision.caltech.edu/datasets/cub_200_2011/, unpack it, and give the"
        " folder CUB_200_2011 (or the one around it) as --data; it holds images/, images.txt, classes.txt,"
        " image_class_labels.txt, train_test_split.txt"
    )

    def read(self, data: Path, *, labels_only: bool = False) -> Records:
        """Read the official split below `data` (see `DataSource.read`)."""
        root = _root(data, self.where)
        if not labels_only:
            require_folder(root / "images", self.where)
        return make_records(
            _columns(root, self.where),
            class_names=tuple(_class_names(root / "classes.txt", self.where)),
            root=root,
            protocol=_protocol(root),
        )

    def known_counts(self, data: Path) -> dict[str, int]:
        """The published counts, or those that a generated set states about itself."""
        note = read_note(_root(data, self.where))
        return note.counts if note else {"images": 11788, "classes": 200, "train": 5994, "test": 5794}


def _root(data: Path, where: str) -> Path:
    return first_holding([require_folder(data, where), data / "CUB_200_2011"], "images.txt", where)


def _protocol(root: Path) -> str:
    note = read_note(root)
    layout = f"{note.name} (generated, seed {note.seed}, in the layout of CUB-200-2011)" if note else "CUB-200-2011"
    return f"{layout}, official train/test split"


def _columns(root: Path, where: str) -> dict[str, object]:
    images = _numbered(root / "images.txt", 1, where)
    labels = _joined(root / "image_class_labels.txt", 1, images, where)
    is_train = _joined(root / "train_test_split.txt", 1, images, where)
    classes = _class_names(root / "classes.txt", where)
    boxes = _boxes(root / "bounding_boxes.txt", images, where)
    return {
        "path": ["images/" + image[0] for image in images.values()],
        "label": [_class_index(root, image, labels[image][0], len(classes)) for image in images],
        "split": [_split_name(root, image, is_train[image][0]) for image in images],
        **boxes,
    }


def _class_names(path: Path, where: str) -> list[str]:
    """Readable names in label order: "001.Black_footed_Albatross" -> "Black footed Albatross"."""
    rows = _numbered(path, 1, where)
    if sorted(rows) != list(range(1, len(rows) + 1)):
        raise FinegrainedError(f"{path}: class numbers must be 1..{len(rows)} without a gap")
    return [rows[i][0].partition(".")[2].replace("_", " ") or rows[i][0] for i in sorted(rows)]


def _class_index(root: Path, image: int, text: str, num_classes: int) -> int:
    """The 0-based label; the files count from 1."""
    if text.isdecimal() and 1 <= int(text) <= num_classes:
        return int(text) - 1
    raise FinegrainedError(
        f"{root / 'image_class_labels.txt'}: image {image} has class {text}, classes.txt knows 1..{num_classes};"
        " correct the row"
    )


def _split_name(root: Path, image: int, text: str) -> str:
    if text not in ("0", "1"):
        raise FinegrainedError(
            f"{root / 'train_test_split.txt'}: image {image} has '{text}', expected 1 (train) or 0 (test)"
        )
    return "train" if text == "1" else "test"


def _boxes(path: Path, images: dict[int, list[str]], where: str) -> dict[str, list[float]]:
    if not path.is_file():
        return {}
    rows = _joined(path, 4, images, where)
    try:
        return {name: [float(rows[image][i]) for image in images] for i, name in enumerate(BOX_COLUMNS)}
    except ValueError as error:
        raise FinegrainedError(f"{path}: expected 'image x y width height' in pixels, {error}") from error


def _joined(path: Path, fields: int, images: dict[int, list[str]], where: str) -> dict[int, list[str]]:
    """Rows of a file that must speak of exactly the images of images.txt."""
    rows = _numbered(path, fields, where)
    missing, unknown = sorted(images.keys() - rows.keys()), sorted(rows.keys() - images.keys())
    if missing or unknown:
        which = (
            f"no row for image {missing[0]}" if missing else f"a row for image {unknown[0]}, which is not in images.txt"
        )
        total = len(missing) + len(unknown)
        raise FinegrainedError(
            f"{path}: {which} ({total} such); the files do not belong together, unpack the archive again"
        )
    return rows


def _numbered(path: Path, fields: int, where: str) -> dict[int, list[str]]:
    """number -> fields, of a file with lines "number field ..", numbers unique."""
    rows: dict[int, list[str]] = {}
    for line, text in text_lines(require_file(path, where)):
        number, *rest = text.split(maxsplit=fields)
        if not number.isdecimal() or len(rest) != fields:
            raise FinegrainedError(f"{path}, line {line}: expected a number and {fields} more field(s), got '{text}'")
        if int(number) in rows:
            raise FinegrainedError(f"{path}, line {line}: number {number} is there twice; remove one of the rows")
        rows[int(number)] = [field.strip() for field in rest]
    return rows


dataset = Cub200
