"""Every shipped recipe is complete, opens with its command, and says only what the Recipe knows."""

import dataclasses
from pathlib import Path

import pytest
import yaml

from finegrained_crl.cli import parsing, settings
from finegrained_crl.training.ranges import check_recipe
from finegrained_crl.training.recipe import COMPONENTS, Recipe

RECIPES = sorted(Path(__file__).parents[2].glob("plugins/finegrained_crl_plugins/*/recipes/*.yaml"))


@pytest.mark.parametrize("path", RECIPES, ids=[f"{p.parent.parent.name}/{p.stem}" for p in RECIPES])
def test_recipe_is_complete_and_valid(path):
    values = yaml.safe_load(path.read_text())
    assert set(values) == {f.name for f in dataclasses.fields(Recipe)} - {"data"}
    parser = settings.recipe_parser([], values, lambda parser: None)
    recipe = settings.to_recipe(parser.parse([]))
    check_recipe(recipe.replace(data="somewhere"))
    for kind in COMPONENTS:
        assert values[kind] == getattr(recipe, kind).as_dict()
    command = path.read_text().splitlines()[0]
    assert command.startswith(("# fgcrl finetune", "# fgcrl probe"))
    assert f"--recipe {path.stem} --data" in command


@pytest.mark.parametrize("path", RECIPES, ids=[f"{p.parent.parent.name}/{p.stem}" for p in RECIPES])
def test_pretrained_weights_are_named_by_their_tag_where_timm_has_several(path):
    import timm

    values = yaml.safe_load(path.read_text())
    name, _, tag = values["backbone"].partition(".")
    trainings = [known.partition(".")[2] for known in timm.list_pretrained(f"{name}.*")]
    assert tag in trainings or (tag == "" and (len(trainings) == 1 or values["weights"] == "none"))


@pytest.mark.parametrize(
    "path",
    [
        p
        for p in RECIPES
        if p.stem.endswith("-public") or p.stem in ("cub", "cars", "resnet34", "resnet101", "resnet152")
    ],
)
def test_recipes_by_a_paper_or_a_repository_take_torchvisions_weights(path):
    values = yaml.safe_load(path.read_text())
    assert values["backbone"].endswith(".tv_in1k")


def test_the_public_recipes_do_as_their_repositories():
    folder = RECIPES[0].parents[2]
    says = {}
    for name in (
        "bcnn/cub-public",
        "bcnn/cars-public",
        "dfl/cub-public",
        "dfl/cars-public",
        "dcl/cub-public",
        "dcl/cars-public",
    ):
        method, recipe = name.split("/")
        values = yaml.safe_load((folder / method / "recipes" / f"{recipe}.yaml").read_text())
        says[name] = (values["drop_last"], values["decay_all"], values["rotate_border"] if values["rotate"] else None)
    assert says == {
        "bcnn/cub-public": (False, True, None),
        "bcnn/cars-public": (True, True, None),
        "dfl/cub-public": (False, True, None),
        "dfl/cars-public": (False, True, None),
        "dcl/cub-public": (False, False, "black"),  # no weight decay at all
        "dcl/cars-public": (False, False, "black"),
    }


def test_flags_win_over_the_file_and_the_file_over_defaults():
    base = {"epochs": 7, "lr": 0.5, "loss": {"name": "crl", "alpha": 2.0}}
    words = parsing.normalise(["--lr=0.25", "--loss.beta", "0.5", "--batch_size", "4"])
    recipe = settings.to_recipe(settings.recipe_parser(words, base, lambda parser: None).parse(words))
    assert (recipe.epochs, recipe.lr, recipe.batch_size) == (7, 0.25, 4)
    assert recipe.loss.options["alpha"] == 2.0
    assert recipe.loss.options["beta"] == 0.5


def test_another_loss_on_the_command_line_drops_the_files_options():
    words = parsing.normalise(["--loss", "ce"])
    base = {"loss": {"name": "crl", "alpha": 2.0}}
    recipe = settings.to_recipe(settings.recipe_parser(words, base, lambda parser: None).parse(words))
    assert recipe.loss.name == "ce"
    assert "alpha" not in recipe.loss.options


@pytest.mark.parametrize(("flag", "held_out"), [("--split=test", ("test", None)), ("--fold=3", (None, 3))])
def test_a_held_out_part_on_the_command_line_replaces_the_files(flag, held_out):
    for base in ({"fold": 0}, {"split": "val"}):
        recipe = settings.to_recipe(settings.recipe_parser([flag], base, lambda parser: None).parse([flag]))
        assert (recipe.split, recipe.fold) == held_out
