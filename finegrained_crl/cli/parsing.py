"""Flags made of signatures: one per argument of a class or function, helped by its docstring, refused by the nearest
name.
"""

from __future__ import annotations

import argparse
import functools
import inspect
import typing
from collections.abc import Iterable
from typing import Any, Literal

import docstring_parser
import jsonargparse

from finegrained_crl.cli.help import Formatter, wrapped
from finegrained_crl.errors import FinegrainedError, guess
from finegrained_crl.losses import catalogue
from finegrained_crl.training.recipe import COMPONENTS


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
    if hint is bool or bool in typing.get_args(hint):
        extra = {"nargs": "?", "const": True}
    elif typing.get_origin(hint) is list:
        extra, hint = {"nargs": "*"}, typing.get_args(hint)[0]
    if hint in METAVARS:
        extra["metavar"] = METAVARS[hint]
    parser.add_argument(
        "--" + name.replace("_", "-"), type=hint, default=default, help=text.replace("%", "%%"), **extra
    )


METAVARS: dict[Any, str] = {
    int | Literal["auto"]: "N|auto",
    bool | Literal["auto"]: "{true,false,auto}",
    int: "N",
    float: "X",
    str: "NAME",
    int | None: "N",
    float | None: "X",
    str | None: "NAME",
}


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
