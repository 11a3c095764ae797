"""CIFAR-100: a hundred kinds of things on 32 x 32 pixels, in twenty superclasses."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from finegrained_crl.data.records import Records, make_records
from finegrained_crl_datasets.arrays.parts import Layout, copy_note, find_layout, generated_counts, read_columns

_FINE = """
apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can castle
caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin elephant flatfish
forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree motorcycle
mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate poppy porcupine
possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper snail snake spider squirrel streetcar
sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle wardrobe whale
willow_tree wolf woman worm
"""
_COARSE = """
aquatic_mammals fish flowers food_containers fruit_and_vegetables household_electrical_devices household_furniture
insects large_carnivores large_man-made_outdoor_things large_natural_outdoor_scenes large_omnivores_and_herbivores
medium_mammals non-insect_invertebrates people reptiles small_mammals trees vehicles_1 vehicles_2
"""
FINE, COARSE = tuple(_FINE.split()), tuple(_COARSE.split())
"""Both in the order of their numbers, which is that of the alphabet."""
PYTHON = Layout("cifar-100-python", {"train": "train", "test": "test"})
BINARY = Layout("cifar-100-binary", {"train.bin": "train", "test.bin": "test"})
NAMES = {"fine": ("fine_labels", "fine_label"), "coarse": ("coarse_labels", "coarse_label")}


@dataclass(frozen=True)
class Cifar100:
    """Reader of CIFAR-100 (Krizhevsky 2009); each picture is an item of its file; extra column: the superclass.

    Args:
        labels: "fine", the hundred classes; "coarse", the twenty superclasses.
    """

    labels: Literal["fine", "coarse"] = "fine"

    summary: ClassVar[str] = "CIFAR-100, a hundred kinds of things on 32 pixels, official train/test split"
    where: ClassVar[str] = (
        "Download the Python or the binary version from https://www.cs.toronto.edu/~kriz/cifar.html, unpack it, give"
        " the folder cifar-100-python or cifar-100-binary (or the one around it, as torchvision keeps it) as --data; or"
        " a Parquet file of JPEG or PNG pictures with columns split, fine_label and coarse_label"
    )

    def read(self, data: Path, *, labels_only: bool = False) -> Records:
        """Read the official split below `data` (see `DataSource.read`); labels and pictures share their files."""
        root, files = find_layout(data, (PYTHON, BINARY), self.where)
        columns = read_columns(root, files, NAMES[self.labels])
        coarse = read_columns(root, files, NAMES["coarse"])["label"]
        columns["superclass"] = [COARSE[label] if 0 <= label < len(COARSE) else "" for label in coarse]
        return make_records(
            dict(columns),
            class_names=FINE if self.labels == "fine" else COARSE,
            root=root,
            protocol=f"CIFAR-100{copy_note(root, files)}, official train/test split, {self.labels} labels",
            policy=self.labels,
        )

    def known_counts(self, data: Path) -> dict[str, int]:
        """The published counts."""
        generated = generated_counts(data, (PYTHON, BINARY))
        return generated or {
            "images": 60000,
            "classes": 100 if self.labels == "fine" else 20,
            "train": 50000,
            "test": 10000,
        }


dataset = Cifar100
