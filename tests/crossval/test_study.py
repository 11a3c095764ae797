"""The plan of a study on disk."""

import pytest
import yaml

from finegrained_crl.crossval.study import Study, StudyFolder, study_differences
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.training.recipe import Component, Recipe

CE, CRL = Recipe(data="x", loss=Component("ce")), Recipe(data="x", loss=Component("crl"), lr=0.5)
STUDY = Study({"ce": CE, "crl": CRL}, [0, 2], [5, 7], threads=3)


@pytest.fixture
def place(tmp_path):
    made = StudyFolder(tmp_path / "study")
    made.write(STUDY)
    return made


def test_comes_back_whole(place):
    assert place.read() == STUDY
    assert (place.read().folds, place.read().seeds, place.read().threads) == ([0, 2], [5, 7], 3)


def test_each_cell_has_the_recipe_that_it_is_started_with(place):
    assert len(STUDY.cells) == 8
    for cell in STUDY.cells:
        stored = yaml.safe_load(place.recipe(cell).read_text())
        assert stored == cell.recipe.as_dict()
        assert (stored["fold"], stored["seed"], stored["loss"]["name"]) == (cell.fold, cell.seed, cell.variant)


def test_a_study_that_goes_on_keeps_its_threads(place):
    assert place.write(Study(STUDY.variants, [0, 2, 3], [5, 7], threads=8)).threads == 3
    assert place.read().folds == [0, 2, 3]
    assert place.read().threads == 3


@pytest.mark.parametrize(
    ("study", "differences"),
    [
        (STUDY, []),
        (Study(STUDY.variants, [0], [5], 3), ["fold 2 is there, not asked", "seed 7 is there, not asked"]),
        (Study({"ce": CE}, [0, 2], [5, 7], 3), ["variant 'crl' is there, not asked"]),
        (Study({"ce": CE, "crl": CRL.replace(lr=1.0)}, [0, 2], [5, 7], 3), ["lr: 0.5 there, 1.0 asked (crl)"]),
        (
            Study({"ce": CE.replace(ema=0.5), "crl": CRL.replace(ema=0.5)}, [0, 2], [5, 7], 3),
            ["ema: 0.0 there, 0.5 asked"],
        ),
        (Study({"ce": CE.replace(fold=4, seed=9), "crl": CRL}, [0, 2], [5, 7], 3), []),
    ],
)
def test_what_a_new_plan_would_change(study, differences, place):
    assert study_differences(STUDY, study) == differences
    if differences:
        with pytest.raises(FinegrainedError, match="holds a study with another plan"):
            place.write(study)
        assert place.read() == STUDY
    else:
        place.write(study)


@pytest.mark.parametrize(("old", "new"), [("- 7", "- 8"), ("threads: 3", "threads: 4"), ("lr: 0.5", "lr: 0.6")])
def test_a_plan_changed_by_hand_is_refused(old, new, place):
    place.plan.write_text(place.plan.read_text().replace(old, new, 1))
    with pytest.raises(FinegrainedError, match="was changed by hand"):
        place.read()


def test_a_plan_of_another_version_is_refused(place):
    place.plan.write_text(place.plan.read_text().replace("format: 2", "format: 1"))
    with pytest.raises(FinegrainedError, match="has format 1"):
        place.read()


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(FinegrainedError, match="is not empty and holds no study"):
        StudyFolder(tmp_path).write(STUDY)
    assert [path.name for path in tmp_path.iterdir()] == ["holiday.jpg"]
