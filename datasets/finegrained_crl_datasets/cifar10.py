"""CIFAR-10: ten kinds of things on 32 x 32 pixels, in all the forms that are in use."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from finegrained_crl.data.records import Records, make_records
from finegrained_crl_datasets.arrays.parts import Layout, copy_note, find_layout, generated_counts, read_columns

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
TRAIN = [f"data_batch_{number}" for number in range(1, 6)]
PYTHON = Layout("cifar-10-batches-py", {**dict.fromkeys(TRAIN, "train"), "test_batch": "test"})
BINARY = Layout("cifar-10-batches-bin", {f"{name}.bin": split for name, split in PYTHON.files.items()})


@dataclass(frozen=True)
class Cifar10:
    """Reader of CIFAR-10 (Krizhevsky 2009); each picture is an item of its batch file."""

    summary: ClassVar[str] = "CIFAR-10, ten kinds of things on 32 pixels, official train/test split"
    where: ClassVar[str] = (
        "Download the Python or the binary version from https://www.cs.toronto.edu/~kriz/cifar.html, unpack it, give"
        " the folder cifar-10-batches-py or cifar-10-batches-bin (or the one around it, as torchvision keeps it) as"
        " --data; or a Parquet file of JPEG or PNG pictures with columns split and label"
    )

    def read(self, data: Path, *, labels_only: bool = False) -> Records:
        """Read the official split below `data` (see `DataSource.read`); labels and pictures share their files."""
        root, files = find_layout(data, (PYTHON, BINARY), self.where)
        return make_records(
            dict(read_columns(root, files, ("labels", "label"))),
            class_names=CLASSES,
            root=root,
            protocol=f"CIFAR-10{copy_note(root, files)}, official train/test split",
        )

    def known_counts(self, data: Path) -> dict[str, int]:
        """The published counts."""
        generated = generated_counts(data, (PYTHON, BINARY))
        return generated or {"images": 60000, "classes": 10, "train": 50000, "test": 10000}


dataset = Cifar10
