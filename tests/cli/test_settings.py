"""Where a setting comes from: defaults, the recipe file, flags; whatever their order and spelling."""

import dataclasses

import pytest

from finegrained_crl.cli import parsing, settings
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.training.recipe import Recipe


def recipe(*words, base=None):
    normal = parsing.normalise(list(words))
    return settings.to_recipe(settings.recipe_parser(normal, base or {}, lambda parser: None).parse(normal))


def test_nothing_asked_is_the_default():
    made = recipe()
    for field in dataclasses.fields(Recipe):
        if field.name not in ("dataset", "method", "loss"):
            assert getattr(made, field.name) == getattr(Recipe(), field.name)
    assert (made.dataset.name, made.method.name, made.loss.name) == ("image_folder", "resnet", "crl")
    assert (made.loss.options["alpha"], made.loss.options["beta"]) == (1.5, 1.0)
    assert "where" not in made.loss.options


def test_precedence():
    base = {"epochs": 7, "lr": 0.5, "class_balanced": True, "freeze": ["a"], "loss": {"name": "focal", "gamma": 3.0}}
    assert recipe(base=base).epochs == 7
    assert recipe(base=base).freeze == ["a"]
    assert recipe(base=base).class_balanced is True
    assert recipe(base=base).loss.as_dict() == {"name": "focal", "gamma": 3.0}
    made = recipe("--epochs", "9", "--class-balanced", "false", "--freeze", "b", "c", "--loss.gamma=1", base=base)
    assert (made.epochs, made.lr, made.class_balanced, made.freeze) == (9, 0.5, False, ["b", "c"])
    assert made.loss.options == {"gamma": 1.0}


def test_the_last_flag_counts():
    assert recipe("--epochs", "3", "--epochs=5").epochs == 5
    assert recipe("--loss", "ce", "--loss=focal").loss.name == "focal"
    assert parsing.peek(["--a", "1", "--b", "2", "--a=3"], "--a") == "3"
    assert parsing.peek(["--a"], "--a") is None


def test_spellings():
    assert parsing.normalise(["--image_size=32", "--loss", "ce", "--method=dfl", "a_b"]) == [
        "--image-size=32",
        "--loss.name",
        "ce",
        "--method.name=dfl",
        "a_b",
    ]
    assert recipe("--convert-images").convert_images is True
    assert recipe("--convert_images", "true").convert_images is True


@pytest.mark.parametrize("kind", ["loss", "method"])
def test_the_files_component_and_its_options(kind):
    base = {"loss": {"name": "focal", "gamma": 3.0}, "method": {"name": "bcnn", "compact_dim": 64}}
    name, other = base[kind]["name"], {"loss": "poly1", "method": "resnet"}[kind]
    kept = {"loss": ("gamma", 3.0), "method": ("compact_dim", 64)}[kind]
    for words in ([], [f"--{kind}", name]):
        component = getattr(recipe(*words, base=base), kind)
        assert component.name == name
        assert component.options[kept[0]] == kept[1]
    component = getattr(recipe(f"--{kind}", other, base=base), kind)
    assert component.name == other
    assert kept[0] not in component.options
    assert recipe(base={kind: name}).as_dict()[kind]["name"] == name


def test_where_the_loss_stands():
    assert recipe("--loss.where", "a", "b").loss.options["where"] == ["a", "b"]


@pytest.mark.parametrize(
    ("words", "base", "message"),
    [
        (["--epoch", "3"], {}, "unknown option --epoch: did you mean"),
        (["--epochs", "many"], {}, "--epochs"),
        (["--loss.gamma", "3"], {}, "unknown option --loss.gamma"),
        ([], {"epoch": 3}, "recipe: unknown setting 'epoch'"),
        ([], {"epochs": "many"}, "recipe: --epochs"),
        ([], {"loss": 3}, "'loss' must be a name or a mapping with a name"),
        (["--loss", "crll"], {}, "crll"),
    ],
)
def test_mistakes_are_named(words, base, message):
    with pytest.raises(FinegrainedError, match=message.replace("(", r"\(")):
        recipe(*words, base=base)


@pytest.mark.parametrize(
    "content", [{}, {"lr": 1, "loss": {"name": "crl", "beta": 2}}, {"decay_epochs": [3], "seed": 4}]
)
def test_the_recipe_of_a_files_content_is_that_of_a_command_with_the_file(content):
    by_command = settings.to_recipe(settings.recipe_parser([], content, lambda parser: None).parse([]))
    again = [settings.recipe_of(content) for _ in range(2)]  # by a parser that is kept
    assert [repr(recipe) for recipe in again] == [repr(by_command)] * 2


def test_the_recipe_of_a_files_content_is_complete_or_refused():
    with pytest.raises(FinegrainedError, match="recipe: unknown setting 'epoch'"):
        settings.recipe_of({"epoch": 3})
    with pytest.raises(FinegrainedError, match="recipe: --epochs"):
        settings.recipe_of({"epochs": "many"})
