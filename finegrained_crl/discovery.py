"""Names -> methods, data sets and demo makers.

Shipped ones are found by folder: every module of `finegrained_crl_datasets` that defines `dataset` or `maker`, every
sub-package of `finegrained_crl_plugins` whose `method` module defines `method`. Third parties register through the
entry-point groups `finegrained_crl.methods` and `finegrained_crl.datasets`. Two owners of one name are an error that
names both.
"""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import os
import pkgutil
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoints
from pathlib import Path
from types import ModuleType
from typing import Any

from finegrained_crl.errors import FinegrainedError, nearest

METHODS = "finegrained_crl.methods"
DATASETS = "finegrained_crl.datasets"

Loader = Callable[[], Any]


def methods() -> dict[str, Loader]:
    """Method name -> function that imports its class, checks that it is a method, and returns it."""
    shipped = {name: _shipped_method(name) for name in _plugin_names()}
    loaders = _with_entry_points(shipped, METHODS, "finegrained_crl_plugins")
    return {name: _checked_method(name, load) for name, load in loaders.items()}


def datasets() -> dict[str, Loader]:
    """Data set name -> function that imports and returns its class."""
    shipped = {_dashless(m): _attribute(m.__name__, "dataset") for m in _dataset_modules() if hasattr(m, "dataset")}
    return _with_entry_points(shipped, DATASETS, "finegrained_crl_datasets")


def makers() -> dict[str, Loader]:
    """Demo name (`demo-birds`) -> function that imports and returns its maker."""
    modules = [m for m in _dataset_modules() if hasattr(m, "maker")]
    return {_dashless(m).replace("_", "-"): _attribute(m.__name__, "maker") for m in modules}


def find(kind: str, name: str, known: dict[str, Loader]) -> Any:
    """The class behind a name, or an error with the nearest known one.

    Args:
        kind: what the name is of, for the message ("method").
        name: the name asked for.
        known: what `methods()`, `datasets()` or `makers()` returned.
    Raises:
        FinegrainedError: nothing has that name.
    """
    if name not in known:
        raise FinegrainedError(f"unknown {kind} '{name}': {nearest(name, known)}")
    return known[name]()


def _plugin_names() -> list[str]:
    """Sub-folders of the plugin package that hold a method.

    Raises:
        FinegrainedError: a folder that has one of the two files without which it would silently not be there.
    """
    package = importlib.import_module("finegrained_crl_plugins")
    homes = [folder for root in package.__path__ for folder in sorted(Path(root).iterdir())]
    names = []
    for home in homes:
        has_package, has_method = (home / "__init__.py").is_file(), (home / "method.py").is_file()
        if has_method and not has_package:
            reason = "no __init__.py, so it can't be imported; add one, a docstring is enough"
            raise FinegrainedError(f"method '{home.name}': {home} has {reason}")
        if has_package and not has_method:
            raise FinegrainedError(f"method '{home.name}': {home} has no method.py; docs/plugins.md shows a whole one")
        if has_method:
            names.append(home.name)
    return names


def _shipped_method(name: str) -> Loader:
    def load() -> Any:
        module = importlib.import_module(f"finegrained_crl_plugins.{name}.method")
        if not hasattr(module, "method"):
            raise FinegrainedError(
                f"method '{name}': {module.__file__} defines no 'method'; end it with: method = TheClass"
            )
        return module.method

    return load


def _dataset_modules() -> Iterator[ModuleType]:
    package = importlib.import_module("finegrained_crl_datasets")
    for info in pkgutil.iter_modules(package.__path__):
        yield importlib.import_module(f"finegrained_crl_datasets.{info.name}")


def _dashless(module: ModuleType) -> str:
    return module.__name__.rpartition(".")[2]


def _attribute(module: str, attribute: str) -> Loader:
    return lambda: getattr(importlib.import_module(module), attribute)


def _checked_method(name: str, load: Loader) -> Loader:
    def load_and_check() -> Any:
        from finegrained_crl.training.method import require_method

        return require_method(name, load())

    return load_and_check


def entry_points(*, group: str) -> EntryPoints:
    """What installed distributions register; read again only where something was installed, for that takes a while."""
    places = (place for place in sys.path if os.path.isdir(place))
    return _read_entry_points(group, tuple((place, os.stat(place).st_mtime_ns) for place in places))


@functools.cache
def _read_entry_points(group: str, _places: tuple[tuple[str, int], ...]) -> EntryPoints:
    return importlib.metadata.entry_points(group=group)


def _with_entry_points(shipped: dict[str, Loader], group: str, owner: str) -> dict[str, Loader]:
    loaders, owners = dict(shipped), dict.fromkeys(shipped, owner)
    for point in entry_points(group=group):
        holder = point.dist.name if point.dist else point.value
        if point.name in loaders:
            raise FinegrainedError(
                f"two packages offer '{point.name}' in {group}: {owners[point.name]} and {holder}; uninstall one of"
                " them"
            )
        loaders[point.name], owners[point.name] = point.load, holder
    return loaders
