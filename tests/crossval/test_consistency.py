"""Cells that don't belong together are refused, each difference by its name."""

import shutil

import pytest
from made_study import GROUPS, predictions, results_of, write_cell, write_study

from finegrained_crl.crossval.collect import collect
from finegrained_crl.crossval.study import StudyFolder
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.reports.study import study_notes


def halved(frame):
    return frame[(frame["part"] == "val") | frame["id"].str.endswith(("0", "1", "2", "3", "4"))]


CHANGES = {
    "other data": (lambda f, r: r["data"]["fingerprint"].update(digest="xyz"), "other data"),
    "half of the predictions": (lambda f, r: halved(f), "20 predictions, results.json says denominator 40"),
    "another size": (lambda f, r: r["protocol"].update(image_size=96), "results.json says image_size 96, the plan 224"),
    "other views": (lambda f, r: r["protocol"].update(views="flip"), "results.json says views flip, the plan single"),
    "another denominator": (lambda f, r: r["protocol"].update(denominator=41), "results.json says denominator 41"),
    "another policy": (lambda f, r: r["protocol"].update(policy="nearest"), "policy nearest and "),
    "another version": (lambda f, r: r["versions"].update(python="4"), "python: 3 in 11 cells, 4 in 1 cells"),
    "other missing images": (lambda f, r: r["protocol"].update(missing_images="skip"), "missing_images skip and "),
    "fewer images in the metrics": (
        lambda f, r: r["metrics"]["last"]["test"].update(num_images=39),
        "40 predictions, results.json says denominator 40, 39 images",
    ),
    "a score that is a little off": (
        lambda f, r: r["metrics"]["last"]["test"].update(
            top1_accuracy=r["metrics"]["last"]["test"]["top1_accuracy"] + 1e-4
        ),
        "the predictions have a top-1 accuracy of",
    ),
    "metrics without predictions": (
        lambda f, r: r["metrics"].update(selected_on_validation={"test": {"num_images": 40, "top1_accuracy": 0.5}}),
        "selected weights: in one of results.json and predictions.parquet, and not in the other",
    ),
    "other classes": (lambda f, r: r.update(class_names=GROUPS[::-1]), "other class names"),
    "another score": (
        lambda f, r: r["metrics"]["last"]["test"].update(top1_accuracy=0.99),
        "results.json says 0.990000",
    ),
    "a picture twice": (lambda f, r: f.assign(id=f["id"].replace("test1/1", "test1/0")), "test1/0 is predicted twice"),
}


STRENGTHS = {"ce": 1.0, "crl": 1.2}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Cells that belong together; copied by tests that change one."""
    return write_study(tmp_path_factory.mktemp("written") / "s", STRENGTHS)


@pytest.mark.parametrize("name", CHANGES)
def test_cells_that_dont_belong_together_are_refused(name, written, tmp_path):
    change, message = CHANGES[name]
    folder = shutil.copytree(written, tmp_path / "s")
    cell = next(cell for cell in StudyFolder(folder).read().cells if cell.name == "crl_f1_s0")
    frame = predictions(1, 0, STRENGTHS["crl"], validation=True)
    results = results_of(frame, ordered=True)
    replaced = change(frame, results)
    shutil.rmtree(StudyFolder(folder).run(cell).folder)
    write_cell(StudyFolder(folder).run(cell), cell.recipe, frame if replaced is None else replaced, results)
    with pytest.raises(FinegrainedError, match="don't belong together") as error:
        collect(folder)
    assert message in str(error.value)
    assert any("CELLS DIFFER" in note for note in study_notes(collect(folder, accept_differences=True)))


def test_a_recipe_that_is_not_the_plans_is_refused(written, tmp_path):
    folder = shutil.copytree(written, tmp_path / "s")
    run = StudyFolder(folder).run(StudyFolder(folder).read().cells[0])
    run.recipe.write_text(run.recipe.read_text().replace("lr: 0.01", "lr: 0.5"))
    run.commit()
    with pytest.raises(FinegrainedError, match=r"ce_f0_s0: lr: 0\.5 there, 0\.01 asked"):
        collect(folder)


def test_cells_that_belong_together_are_taken_and_nothing_is_noted(written):
    assert collect(written).accepted == []


def test_few_differences_are_named_and_the_others_counted(tmp_path):
    def changed(cell, frame, results):
        results["protocol"]["image_size"] = 96
        return frame

    folder = write_study(tmp_path / "s", {"ce": 1.0, "crl": 1.2}, changed=changed)
    with pytest.raises(FinegrainedError, match=r"\(and 7 more\)"):
        collect(folder)
    assert len(collect(folder, accept_differences=True).accepted) == 12
