"""One source for settings: the `Recipe` dataclass and the constructors of what it chooses become flags and YAML keys.

Order of precedence: defaults, then the recipe file, then flags. `--loss NAME` and `--loss.OPTION VALUE` choose a
component and set its constructor's arguments; the same holds for `--dataset` and `--method`. Unknown names are refused
with the nearest known one.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import typing
from collections.abc import Callable
from typing import Any

import jsonargparse

from finegrained_crl import discovery
from finegrained_crl.cli.parsing import SettingsParser, add_component_options, add_flag, peek, readable
from finegrained_crl.errors import FinegrainedError, guess
from finegrained_crl.losses import catalogue
from finegrained_crl.training.recipe import COMPONENTS, Component, Recipe


def component_class(kind: str, name: str) -> type:
    """The class behind `--dataset`, `--method` or `--loss` NAME."""
    if kind == "loss":
        return catalogue.loss_class(name)
    classes = discovery.methods() if kind == "method" else discovery.datasets()
    return typing.cast(type, discovery.find("data set" if kind == "dataset" else kind, name, classes))


def recipe_parser(
    argv: list[str], base: dict[str, Any], add_first: Callable[[SettingsParser], None], **kwargs: Any
) -> SettingsParser:
    """A parser for all recipe flags, its defaults taken from `base` (a recipe file's content).

    Args:
        argv: normalised arguments; only the component names are read here.
        base: values of the recipe file, {} for none.
        add_first: adds the command's own flags, which stand first in its help.
        kwargs: for the parser: prog, description, epilog.
    Returns:
        the parser; `to_recipe` turns what it parses into a `Recipe`.
    Raises:
        FinegrainedError: an unknown key or component, or a value of the wrong type in `base`.
    """
    parser = SettingsParser(**kwargs)
    add_first(parser)
    _add_settings(parser, _components(argv, base))
    _take_defaults(parser, argv, base)
    return parser


def recipe_of(content: dict[str, Any]) -> Recipe:
    """The recipe that a file's content describes, with every setting filled in.

    Args:
        content: of the file; it is not changed.
    Raises:
        FinegrainedError: as `recipe_parser`.
    """
    parser = _parser_of(tuple(_components([], content).items()))
    flat = _settings_of(parser, [], content)
    parsed = _parse_content(parser, flat)
    for key, value in flat.items():
        if parsed[key] == value:
            parsed[key] = value  # a 2 stays a 2 and no 2.0: a study is known by what its recipes' text says
    return to_recipe(parsed)


@functools.lru_cache(maxsize=20)  # a study asks for dozens of recipes with few components
def _parser_of(components: tuple[tuple[str, tuple[str, type]], ...]) -> SettingsParser:
    parser = SettingsParser()
    _add_settings(parser, dict(components))
    return parser


def _components(argv: list[str], base: dict[str, Any]) -> dict[str, tuple[str, type]]:
    """By kind: the name of the component that flags or a recipe's content choose, and its class."""
    chosen = {}
    for setting in dataclasses.fields(Recipe):
        if setting.name in COMPONENTS:
            named = peek(argv, f"--{setting.name}.name") or _file_component(base, setting.name)
            name = named or _default(setting).name
            chosen[setting.name] = (name, component_class(setting.name, name))
    return chosen


def _add_settings(parser: SettingsParser, components: dict[str, tuple[str, type]]) -> None:
    """Add a flag for each field of the recipe, and for each option of its components."""
    groups: dict[str, Any] = {}
    hints = typing.get_type_hints(Recipe)
    for setting in dataclasses.fields(Recipe):
        title = setting.metadata["group"]
        group = groups.setdefault(title, parser.add_argument_group(title))
        if setting.name in components:
            add_flag(group, f"{setting.name}.name", str, components[setting.name][0], setting.metadata["help"])
        else:
            add_flag(group, setting.name, hints[setting.name], _default(setting), setting.metadata["help"])
    for kind, (_, cls) in components.items():
        add_component_options(parser, kind, cls)
    where = (
        "roles of the method that get the loss, or 'all' [those that the paper means]; the others keep cross-entropy"
    )
    add_flag(parser, "loss.where", list[str], None, where)


def to_recipe(parsed: jsonargparse.Namespace) -> Recipe:
    """The recipe from what a `recipe_parser` parsed (other flags in it are ignored)."""
    values = parsed.as_dict()
    chosen = {f.name: values[f.name] for f in dataclasses.fields(Recipe)}
    for kind in COMPONENTS:
        name = chosen[kind].pop("name")
        if kind == "loss" and not chosen[kind].get("where"):
            chosen[kind].pop("where", None)
        chosen[kind] = Component(name, chosen[kind])
    return Recipe(**chosen)


def _default(setting: dataclasses.Field[Any]) -> Any:
    if setting.default_factory is not dataclasses.MISSING:
        return setting.default_factory()
    return setting.default


def _file_component(base: dict[str, Any], kind: str) -> str | None:
    value = base.get(kind)
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, dict) and isinstance(value.get("name"), str):
        return str(value["name"])
    raise FinegrainedError(f"recipe: '{kind}' must be a name or a mapping with a name, got {value!r}")


def _take_defaults(parser: SettingsParser, argv: list[str], base: dict[str, Any]) -> None:
    flat = _settings_of(parser, argv, base)
    if not flat:
        return  # checking the defaults would take as long as everything else here
    # Without defaults: only what the file says is checked, which takes a third of the time.
    _parse_content(parser, flat, defaults=False)
    parser.set_defaults(flat)


def _parse_content(parser: SettingsParser, flat: dict[str, Any], **how: bool) -> jsonargparse.Namespace:
    try:
        parsed: jsonargparse.Namespace = parser.parse_object(_nest(flat), **how)
        return parsed
    except (argparse.ArgumentError, TypeError) as error:
        raise FinegrainedError(f"recipe: {readable(error)}") from None


def _settings_of(parser: SettingsParser, argv: list[str], base: dict[str, Any]) -> dict[str, Any]:
    """What a recipe file sets, by the names of the parser's flags, without what flags replace as a whole."""
    flat = _flatten(base)
    for kind in COMPONENTS:
        chosen = peek(argv, f"--{kind}.name")
        if chosen and chosen != flat.get(f"{kind}.name", chosen):
            # Another component than the file's: the file's options belong to the one that it names.
            flat = {k: v for k, v in flat.items() if not k.startswith(f"{kind}.")}
    for asked, other in (("split", "fold"), ("fold", "split")):
        if peek(argv, f"--{asked}") is not None and peek(argv, f"--{other}") is None:
            flat[other] = None  # what is held out is one choice: the flag replaces the file's, however that was worded
    settings = [a.dest for a in parser._actions]
    unknown = [f"'{key}' ({guess(key, settings) or '--help lists all'})" for key in flat if key not in settings]
    if unknown:
        raise FinegrainedError(f"recipe: unknown setting {', '.join(unknown)}")
    empty = [a.dest for a in parser._actions if a.dest in base and base[a.dest] is None and a.default is not None]
    if empty:
        raise FinegrainedError(f"recipe: '{empty[0]}' has no value; give one, or leave its line out")
    return flat


def _flatten(base: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in base.items():
        if key in COMPONENTS:
            value = value if isinstance(value, dict) else {"name": value}
            flat |= {f"{key}.{option}": v for option, v in value.items()}
        else:
            flat[key] = value
    return flat


def _nest(flat: dict[str, Any]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for key, value in flat.items():
        kind, dot, option = key.partition(".")
        if dot:
            nested.setdefault(kind, {})[option] = value
        else:
            nested[key] = value
    return nested
