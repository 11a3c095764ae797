"""The parts of a run, each from its settings."""

import pandas as pd
import pytest

from finegrained_crl.data.fingerprint import fingerprint
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.training.assembly import (
    check_images,
    image_settings,
    make_parts,
    make_trainee,
    read_records,
    require_no_leaks,
)
from finegrained_crl.training.recipe import Component, Recipe


@pytest.fixture
def recipe(known):
    return Recipe(
        data=str(known.csv), dataset=Component("table"), backbone="test_resnet", weights="none", image_size=32
    )


@pytest.fixture
def folds(known, recipe):
    return recipe.replace(data=str(known.csv.parent / "folds.csv"))


def parts_of(recipe):
    records = read_records(recipe)
    return make_parts(recipe, records, fingerprint(records)), records.table


def test_the_part_that_is_held_out(recipe, folds):
    parts, table = parts_of(recipe)
    for name in ("train", "val", "test"):
        assert set(table["split"].iloc[getattr(parts, name)]) == {name}
    parts, table = parts_of(recipe.replace(split="val"))
    assert set(table["split"].iloc[parts.test]) == {"val"}
    for fold in (0, 1):
        parts, table = parts_of(folds.replace(fold=fold))
        assert set(table["fold"].iloc[parts.test]) == {fold}
        assert set(table["fold"].iloc[parts.train]) == {1 - fold}


def test_validation_is_cut_from_training_by_the_seed(folds):
    whole, _ = parts_of(folds.replace(fold=0))
    cuts = [parts_of(folds.replace(fold=0, val_fraction=0.25, seed=seed))[0] for seed in (1, 2)]
    for cut in cuts:
        assert cut.test.tolist() == whole.test.tolist()
        assert sorted([*cut.train, *cut.val]) == whole.train.tolist()
        assert 0 < len(cut.val) < len(cut.train)
    assert cuts[0].val.tolist() != cuts[1].val.tolist()


def test_leaks_are_refused_unless_allowed(recipe, known, tmp_path):
    rows = pd.read_csv(known.csv)
    rows.loc[rows.index[-1], "subject"] = rows["subject"].iloc[0]
    rows.to_csv(known.csv.parent / "leaking.csv", index=False)
    records = read_records(recipe.replace(data=str(known.csv.parent / "leaking.csv")))
    data = fingerprint(records)
    parts = make_parts(recipe, records, data)
    with pytest.raises(FinegrainedError, match="the split leaks: 1 of"):
        require_no_leaks(records, parts, data, allowed=False)
    assert len(require_no_leaks(records, parts, data, allowed=True)) == 1


def test_a_copy_of_a_training_picture_goes_to_its_side(tmp_path, known):
    from PIL import Image

    rows = []
    for label in ("a", "b"):
        for i in range(8):
            name = f"{label}{i}.png"
            Image.new("RGB", (8, 8), (10 * (i // 2), 30 if label == "a" else 60, 0)).save(tmp_path / name)
            rows.append({"path": name, "label": label, "fold": 0})
    rows += [{"path": "a0.png", "label": "a", "fold": 1}, {"path": "b0.png", "label": "b", "fold": 1}]
    pd.DataFrame(rows).to_csv(tmp_path / "t.csv", index=False)
    recipe = Recipe(data=str(tmp_path / "t.csv"), dataset=Component("table"), val_fraction=0.25, fold=1)
    for seed in range(5):
        parts, table = parts_of(recipe.replace(seed=seed))
        twins = {}
        for name in ("train", "val"):
            paths = table["path"].iloc[getattr(parts, name)]
            twins[name] = {(path[0], int(path[1]) // 2) for path in paths}  # 0 and 1, 2 and 3 .. have equal bytes
        assert not twins["train"] & twins["val"]


def test_model_and_method_by_their_options(recipe):
    made = make_trainee(recipe.replace(drop_rate=0.25, drop_path_rate=0.5), 3)
    net = made.model.exported()
    assert net.drop_rate == 0.25
    assert max(getattr(module, "drop_prob", 0) for module in net.modules()) == 0.5
    first, again, other = (
        next(make_trainee(recipe.replace(seed=seed), 3).model.parameters()).detach() for seed in (1, 1, 2)
    )
    assert first.equal(again)
    assert not first.equal(other)
    dfl = make_trainee(recipe.replace(method=Component("dfl", {"filters": 3}), image_size=64), 3)
    assert dfl.method.filters == 3


def test_settings_of_pictures_are_the_recipes(recipe):
    made = image_settings(recipe.replace(hflip=0.125, views="flip", crop_scale=0.5))
    assert (made.image_size, made.hflip, made.views, made.crop_scale) == (32, 0.125, "flip", 0.5)


def test_files_are_looked_at_before_training(recipe, known, tmp_path):
    from PIL import Image

    Image.new("RGBA", (8, 8)).save(tmp_path / "a.png")
    Image.new("RGB", (8, 8)).save(tmp_path / "b.png")
    rows = pd.DataFrame({"path": ["a.png", "b.png"], "label": ["x", "y"], "split": ["train", "train"]})
    rows.to_csv(tmp_path / "t.csv", index=False)
    records = read_records(recipe.replace(data=str(tmp_path / "t.csv")))
    check_images(records, records.table.index.to_numpy(), convert=True)
    check_images(records, records.table.index.to_numpy()[1:], convert=False)
    with pytest.raises(FinegrainedError, match=r"a\.png: alpha image"):
        check_images(records, records.table.index.to_numpy(), convert=False)
    (tmp_path / "b.png").unlink()
    with pytest.raises(FinegrainedError, match=r"b\.png"):
        check_images(records, records.table.index.to_numpy(), convert=True)
