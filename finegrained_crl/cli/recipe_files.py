"""Recipe files: those that methods ship, and anybody's own."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

from finegrained_crl import discovery
from finegrained_crl.cli.settings import component_class
from finegrained_crl.data.structured import read_yaml
from finegrained_crl.errors import FinegrainedError, nearest


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
