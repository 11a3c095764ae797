"""One source for settings: the `Recipe` dataclass and the constructors of what it chooses become flags and YAML keys.

Order of precedence: defaults, then the recipe file, then flags. `--loss NAME` and `--loss.OPTION VALUE` choose a
component and set its constructor's arguments; the same holds for `--dataset` and `--method`. Unknown names are refused
with the nearest known one.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import inspect
import typing
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import docstring_parser
import jsonargparse

from finegrained_crl import discovery
from finegrained_crl.cli.help import Formatter, wrapped
from finegrained_crl.data.structured import read_yaml
from finegrained_crl.errors import FinegrainedError, guess, nearest
from finegrained_crl.losses import catalogue
from finegrained_crl.training.recipe import COMPONENTS, Component, Recipe


def component_class(kind: str, name: str) -> type:
    """The class behind `--dataset`, `--method` or `--loss` NAME."""
    if kind == "loss":
        return catalogue.loss_class(name)
    classes = discovery.methods() if kind == "method" else discovery.datasets()
    return typing.cast(type, discovery.find("data set" if kind == "dataset" else kind, name, classes))


def add_component_options(parser: Any, kind: str, cls: type) -> None:
    """Add one `--kind.option` flag per constructor argument of `cls`, helped by its docstring."""
    group = parser.add_argument_group(f"options of the {kind} {cls.__name__}")
    add_options(group, cls, prefix=f"{kind}.")


def add_options(parser: Any, thing: Any, *, prefix: str = "", skip: tuple[str, ...] = ()) -> list[str]:
    """Add one flag per argument of a class or function; the names of those added."""
    entries = [entry for entry in options_of(thing) if entry[0] not in skip]
    for name, parameter, hint, text in entries:
        default = None if parameter.default is inspect.Parameter.empty else parameter.default
        add_flag(parser, f"{prefix}{name}", hint, default, text)
    return [name for name, *_ in entries]


def named(argv: list[str], command: str, known: Iterable[str], example: str) -> tuple[str, list[str]]:
    """The name behind a verb, and the normalised words behind the name.

    Raises:
        FinegrainedError: no name; those that there are, are shown.
    """
    if not argv or argv[0].startswith("-"):
        names = ", ".join(sorted(known))
        if asks_for_help(argv):
            print(wrapped(f"usage: fgcrl {command} NAME ..\n\nNAME is one of: {names}\n\nexample: {example}"))
            raise SystemExit(0)
        raise FinegrainedError(f"`fgcrl {command}` needs a name, one of: {names}; e.g. {example}")
    return argv[0], [word.replace("--dataset.", "--") for word in normalise(argv[1:])]


def asks_for_help(words: list[str]) -> bool:
    """Whether -h or --help is among them."""
    return "-h" in words or "--help" in words


def options_of(cls: Any) -> list[tuple[str, inspect.Parameter, Any, str]]:
    """(name, parameter, type hint, help) of each constructor argument that a user may set; a loss gets its sizes from
    the toolkit.
    """
    given = catalogue.NOT_SETTINGS if hasattr(cls, "takes_soft_targets") else ()
    hints = typing.get_type_hints(cls if inspect.isfunction(cls) else cls.__init__)
    texts = _argument_texts(cls)
    parameters = inspect.signature(cls).parameters.values()
    chosen = [p for p in parameters if p.name not in given and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    return [(p.name, p, hints.get(p.name, str), texts.get(p.name, "")) for p in chosen]


@functools.cache
def _argument_texts(cls: Any) -> dict[str, str]:
    texts = {}
    for doc in (cls.__doc__, cls.__init__.__doc__):
        for entry in docstring_parser.parse(doc or "").params:
            texts[entry.arg_name] = " ".join((entry.description or "").split())
    return texts


def add_flag(parser: Any, name: str, hint: Any, default: Any, text: str) -> None:
    """Add one flag: hyphens for underscores, a bare `--flag` for true, several words for a list."""
    extra: dict[str, Any] = {}
    if hint is bool:
        extra = {"nargs": "?", "const": True}
    elif typing.get_origin(hint) is list:
        extra, hint = {"nargs": "*"}, typing.get_args(hint)[0]
    if hint in METAVARS:
        extra["metavar"] = METAVARS[hint]
    parser.add_argument(
        "--" + name.replace("_", "-"), type=hint, default=default, help=text.replace("%", "%%"), **extra
    )


METAVARS: dict[Any, str] = {int: "N", float: "X", str: "NAME", int | None: "N", float | None: "X", str | None: "NAME"}


class SettingsParser(jsonargparse.ArgumentParser):
    """jsonargparse's parser, with unknown flags refused by the nearest name and errors raised as `FinegrainedError`."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(exit_on_error=False, formatter_class=_Formatter, **kwargs)

    def parse(self, argv: list[str]) -> jsonargparse.Namespace:
        """Parse hyphen-normalised arguments, or print the help where it is asked for.

        Raises:
            FinegrainedError: something can't be parsed; one line.
            SystemExit: the help was printed.
        """
        if asks_for_help(argv):
            print(self.format_help())
            raise SystemExit(0)
        self._refuse_unknown(argv)
        try:
            return self.parse_args(argv)
        except (argparse.ArgumentError, TypeError) as error:
            raise FinegrainedError(readable(error)) from None

    def format_help(self, formatter: Any = None) -> str:
        """Help in which `--loss.name` reads as the `--loss` that people type."""
        text = super().format_help(formatter) if formatter else super().format_help()
        for kind in COMPONENTS:
            text = text.replace(f"--{kind}.name NAME", f"--{kind} NAME     ")
        return wrapped(text)

    def _refuse_unknown(self, argv: list[str]) -> None:
        flags = [o for o in self._option_string_actions if o.startswith("--") and not o.endswith("+")]
        for word in argv:
            name = word.partition("=")[0]
            if word.startswith("--") and name not in flags:
                shown = [o.removesuffix(".name") for o in flags]
                raise FinegrainedError(f"unknown option {name}: {_near_flags(name, shown)}")


class _Formatter(Formatter, jsonargparse.DefaultHelpFormatter):
    """The house's help for jsonargparse: what it would add of types is said by the placeholder or the choices."""


def _near_flags(name: str, known: Iterable[str]) -> str:
    """Only the guess: listing sixty flags would bury it."""
    return f"{guess(name, known)} (--help lists all)" if guess(name, known) else "--help lists all"


def readable(error: Exception) -> str:
    """jsonargparse's message as one line with the flag's own spelling."""
    lines = [line.strip(" -") for line in str(error).splitlines()]
    text = " ".join(line for line in lines if line)
    if text.startswith("Parser key "):
        key, _, rest = text.removeprefix("Parser key ").partition(":")
        text = f"--{key.strip(chr(34)).replace('_', '-')}: {rest.strip()}"
    return text.replace("<class '", "").replace("'>", "").replace(".name:", ":")


def normalise(argv: list[str]) -> list[str]:
    """Spell flags as the parser does: `--image_size` -> `--image-size`, `--loss X` -> `--loss.name X`."""
    words = []
    for word in argv:
        name, equals, value = word.partition("=")
        if name.startswith("--"):
            name = name.replace("_", "-")
            name += ".name" if name[2:] in COMPONENTS else ""
        words.append(name + equals + value)
    return words


def peek(argv: list[str], flag: str) -> str | None:
    """The value that a flag has in normalised arguments, None where it is absent (the last one counts)."""
    value = None
    for i, word in enumerate(argv):
        if word == flag and i + 1 < len(argv):
            value = argv[i + 1]
        elif word.startswith(flag + "="):
            value = word.partition("=")[2]
    return value


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


def read_recipe_file(path: Path) -> dict[str, Any]:
    """The mapping in a YAML recipe file.

    Raises:
        FinegrainedError: not readable, not YAML, or not a mapping.
    """
    return read_yaml(path, "a recipe")


def find_recipe(name: str, method: str) -> Path:
    """The recipe file that `--recipe` names: a path, or NAME or METHOD/NAME of a shipped one.

    Raises:
        FinegrainedError: neither; the known names are listed.
    """
    owner, slash, short = name.partition("/")
    if slash and owner in discovery.methods() and not Path(name).is_file():
        return find_recipe(short, owner)
    if name.endswith((".yaml", ".yml")) or slash:
        if not Path(name).is_file():
            raise FinegrainedError(
                f"no recipe file {Path(name).absolute()}; `fgcrl list recipes` shows the shipped ones"
            )
        return Path(name)
    files = {path.stem: path for path in shipped_recipes(method)}
    if name not in files:
        raise FinegrainedError(f"unknown recipe '{name}' of method {method}: {nearest(name, files)}")
    return files[name]


def shipped_recipes(method: str) -> list[Path]:
    """Recipe files beside the method's module."""
    folder = Path(inspect.getfile(component_class("method", method))).parent / "recipes"
    return sorted(folder.glob("*.yaml"))


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
        return typing.cast(jsonargparse.Namespace, parser.parse_object(_nest(flat), **how))
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
