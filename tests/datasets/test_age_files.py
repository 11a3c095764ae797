"""Ages and people from the names of files, as four public sets have them."""

import os

import pandas as pd
import pytest

from finegrained_crl.errors import FinegrainedError
from finegrained_crl_datasets.age_files import AgeFiles

NAMED = {
    "utkface": ("{age}_1_3_2017011216{number:04}.jpg.chip.jpg", "61_1_20170109142408075.jpg"),
    "fgnet": ("{person:03}A{age:02}{letter}.JPG", "readme.jpg"),
    "agedb": ("{number}_Maria O_Callas{person}_{age}_f.jpg", "12_Nobody_f.jpg"),
    "cacd": ("{age}_Robert_Duvall{person}_{number:04}.jpg", "Robert_Duvall_0001.jpg"),
}


def write(folder, naming, ages):
    """Two pictures of each person, at an age and a year later; and a file of another name."""
    pattern, stray = NAMED[naming]
    for person, age in enumerate(ages):
        for later in (0, 1):
            names = {"age": age + later, "person": person, "number": 2 * person + later, "letter": "b" * later}
            (folder / pattern.format(**names)).touch()
    (folder / stray).touch()
    (folder / "notes.txt").touch()


@pytest.mark.parametrize("naming", NAMED)
def test_ages_and_people_are_those_of_the_names(tmp_path, naming):
    ages = [2 * person + 4 for person in range(20)]
    write(tmp_path, naming, ages)
    records = AgeFiles(naming, age_range="0,60").read(tmp_path)
    table = records.table
    assert sorted(table["age"]) == sorted([*ages, *(age + 1 for age in ages)])
    assert records.dropped == {"file name that says no age": 1}
    assert records.class_names == tuple(map(str, range(61)))
    for path, age in zip(table["path"], table["age"], strict=True):
        assert str(int(age)) in path
    if naming != "utkface":
        assert table.groupby("subject")["path"].count().tolist() == [2] * 20
        assert (table.groupby("subject")["split"].nunique() == 1).all()
    else:
        assert "subject" not in table or table["subject"].isna().all()


def test_folds_and_groups_are_those_asked_for(tmp_path):
    write(tmp_path, "fgnet", [2 * person + 4 for person in range(20)])
    folds = AgeFiles("fgnet", num_folds=4).read(tmp_path).table
    assert (folds.groupby("subject")["fold"].nunique() == 1).all()
    assert set(folds["fold"]) == {0, 1, 2, 3}
    groups = AgeFiles("fgnet", bins="0,20,40", num_folds=2).read(tmp_path)
    assert groups.class_names == ("0-19", "20-39", "40-116")
    parts = [AgeFiles("fgnet", test_fraction=share).read(tmp_path).table["split"] for share in (0.2, 0.4)]
    assert (parts[0] == "test").sum() < (parts[1] == "test").sum()


def test_what_is_wrong_is_one_line(tmp_path):
    write(tmp_path, "cacd", [30, 40])
    with pytest.raises(FinegrainedError, match="none of 5 pictures is named as fgnet's"):
        AgeFiles("fgnet").read(tmp_path)
    with pytest.raises(FinegrainedError, match="must be one of utkface, fgnet, agedb, cacd"):
        AgeFiles("morph").read(tmp_path)
    with pytest.raises(FinegrainedError, match="40"):
        AgeFiles("cacd", age_range="0,35").read(tmp_path)


def test_names_that_are_not_utf_8_are_one_line(tmp_path):
    write(tmp_path, "utkface", [30, 40])
    (tmp_path / os.fsdecode(b"25_0_1_2017.\xff.jpg")).touch()
    with pytest.raises(FinegrainedError, match=r"1 names are not UTF-8 \(first: 25_0_1_2017"):
        AgeFiles().read(tmp_path)


@pytest.mark.realdata
@pytest.mark.parametrize("naming", ["utkface", "fgnet"])
def test_real_names_say_what_the_lists_say(shared_data, naming):
    folder = shared_data / f"{naming}_subset"
    table = AgeFiles(naming).read(folder / "images").table.set_index("path")
    listed = pd.read_csv(folder / "labels.csv").set_index("filename")
    assert table["age"].to_dict() == listed["age"].to_dict()
