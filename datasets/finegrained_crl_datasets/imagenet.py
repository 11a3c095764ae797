"""ImageNet (ILSVRC-2012): a thousand classes; validation pictures flat with the devkit's ground truth or in folders."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from finegrained_crl.data.layout import require_file, require_folder, text_lines
from finegrained_crl.data.matlab import read_mat
from finegrained_crl.data.records import Records, make_records
from finegrained_crl.data.suffixes import IMAGE_SUFFIXES
from finegrained_crl.errors import FinegrainedError

DEVKIT = Path("ILSVRC2012_devkit_t12/data")
GROUND_TRUTH = DEVKIT / "ILSVRC2012_validation_ground_truth.txt"
META, WORDS = DEVKIT / "meta.mat", "LOC_synset_mapping.txt"


@dataclass(frozen=True)
class ImageNet:
    """Reader of ILSVRC-2012 (Russakovsky et al. 2015); classes are the synsets in order of their numbers."""

    summary: ClassVar[str] = "ImageNet (ILSVRC-2012), 1000 classes, validated on the official validation part"
    where: ClassVar[str] = (
        "Ask for it at https://image-net.org; put the training pictures into DATA/train/SYNSET/*.JPEG, the validation"
        " pictures into DATA/val, and ILSVRC2012_devkit_t12 into DATA (not needed where val/ has folders by synset)"
    )

    def read(self, data: Path, *, labels_only: bool = False) -> Records:
        """Read both parts below `data` (see `DataSource.read`); nobody has the labels of the test part."""
        synsets = _synsets(require_folder(data / "train", self.where), self.where)
        names = _names(data)
        train = [(path, synset, "train") for synset in synsets for path in _pictures(data, f"train/{synset}")]
        rows = train + [(path, synset, "test") for path, synset in _validation(data, self.where)]
        index = {synset: number for number, synset in enumerate(synsets)}
        unknown = next(((path, synset) for path, synset, _ in rows if synset not in index), None)
        if unknown:
            raise FinegrainedError(f"{data / unknown[0]}: synset {unknown[1]} has no folder in {data / 'train'}")
        columns: dict[str, Any] = {
            "path": [path for path, _, _ in rows],
            "label": [index[synset] for _, synset, _ in rows],
            "split": [split for _, _, split in rows],
        }
        readable = _distinct([names.get(synset, synset) for synset in synsets], synsets)
        protocol = "ImageNet (ILSVRC-2012), trained on train, evaluated on val"
        return make_records(columns, class_names=readable, root=data, protocol=protocol)

    def known_counts(self, data: Path) -> dict[str, int]:
        """The published counts."""
        return {"images": 1331167, "classes": 1000, "train": 1281167, "test": 50000}


def _synsets(train: Path, where: str) -> list[str]:
    synsets = sorted(folder.name for folder in train.iterdir() if folder.is_dir() and not folder.name.startswith("."))
    if not synsets:
        raise FinegrainedError(f"{train}: no folder by synset (n01440764 ..). {where}")
    return synsets


def _pictures(data: Path, folder: str) -> list[str]:
    names = sorted(path.name for path in (data / folder).iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
    return [f"{folder}/{name}" for name in names]


def _validation(data: Path, where: str) -> list[tuple[str, str]]:
    """(path, synset) of each validation picture."""
    val = require_folder(data / "val", where)
    folders = sorted(folder.name for folder in val.iterdir() if folder.is_dir() and not folder.name.startswith("."))
    if folders:
        return [(path, synset) for synset in folders for path in _pictures(data, f"val/{synset}")]
    pictures, truth = _pictures(data, "val"), require_file(data / GROUND_TRUTH, where)
    numbers = [(line, text.strip()) for line, text in text_lines(truth)]
    if len(numbers) != len(pictures):
        raise FinegrainedError(f"{truth}: {len(numbers)} lines for {len(pictures)} pictures in {val}; get both again")
    by_number = {str(number): str(synset) for number, synset in _meta(data, where)["WNID"].items()}
    unknown = next(((line, text) for line, text in numbers if text not in by_number), None)
    if unknown:
        raise FinegrainedError(f"{truth}, line {unknown[0]}: class {unknown[1]} is not in meta.mat; unpack it again")
    return [(path, by_number[text]) for path, (_, text) in zip(pictures, numbers, strict=True)]


def _meta(data: Path, where: str) -> dict[str, dict[int, Any]]:
    """Field of the devkit's synsets -> their number -> value; numbers beyond 1000 are inner nodes of WordNet."""
    path = require_file(data / META, where)
    synsets = read_mat(path).get("synsets")
    if not isinstance(synsets, dict) or not {"ILSVRC2012_ID", "WNID", "words"} <= synsets.keys():
        raise FinegrainedError(f"{path}: no 'synsets' with ILSVRC2012_ID, WNID and words; unpack the devkit again")
    return {field: dict(zip(synsets["ILSVRC2012_ID"], synsets[field], strict=True)) for field in ("WNID", "words")}


def _names(data: Path) -> dict[str, str]:
    """Synset -> its first word, from whichever list is there; none is needed."""
    if (data / WORDS).is_file():
        lines = (text.strip().partition(" ") for _, text in text_lines(data / WORDS))
        return {synset: words.partition(",")[0] for synset, _, words in lines}
    if not (data / META).is_file():
        return {}
    meta = _meta(data, "")
    return {str(meta["WNID"][number]): str(words).partition(",")[0] for number, words in meta["words"].items()}


def _distinct(names: list[str], synsets: list[str]) -> tuple[str, ...]:
    """Two synsets may have one word (the crane that flies and the one that lifts): these get their number too."""
    counts = Counter(names)
    numbered = [f"{name} ({synset})" for name, synset in zip(names, synsets, strict=True)]
    return tuple(long if counts[name] > 1 else name for name, long in zip(names, numbered, strict=True))


dataset = ImageNet
