"""Profiles: what is known about a repository before anybody looks, in `retrofit.yaml` beside the plugin of the same
method.

A profile names repositories, how each is recognised (files with their SHA-256), which site plays which role, what the
paper's reading replaces, and the shims that the code needs today.
"""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from finegrained_crl.errors import FinegrainedError, nearest
from finegrained_crl.retrofit.sites.decision import Choice
from finegrained_crl.retrofit.sites.settings import Settings


@dataclass(frozen=True)
class Profile:
    """One `retrofit.yaml`."""

    name: str
    repositories: list[dict[str, Any]]

    def match(self, root: Path) -> dict[str, Any] | None:
        """The repository of this profile that a folder is: all its files are there and at least one has the known
        content.
        """
        return next((r for r in self.repositories if _is_this(r, root)), None)

    def roles(self, root: Path | None = None) -> dict[str, str]:
        """SITE -> role, of the repository in a folder, or of all that the profile knows."""
        repository = self.match(root) if root is not None else None
        repositories = [repository] if repository else self.repositories
        return {site: role for entry in repositories for site, role in entry["sites"].items()}

    def only(self, root: Path | None = None) -> tuple[str, ...]:
        """The sites that the paper's reading replaces."""
        repository = self.match(root) if root is not None else None
        repositories = [repository] if repository else self.repositories
        return tuple(dict.fromkeys(site for entry in repositories for site in entry["only"]))

    def shims(self, root: Path | None = None) -> tuple[str, ...]:
        """What the code needs today."""
        repository = self.match(root) if root is not None else None
        repositories = [repository] if repository else self.repositories
        return tuple(dict.fromkeys(shim for entry in repositories for shim in entry["shims"]))

    def choice(self, choice: Choice, root: Path) -> Choice:
        """A user's choice, completed: what is named with `--only` wins over the profile's default."""
        return Choice(choice.only or self.only(root), choice.skip, self.roles(root))

    def describe(self, root: Path) -> str:
        """Which repository it is, and whether its files are those that were looked at."""
        repository = self.match(root)
        if repository is None:
            return "files differ from the known ones"
        same = all(_hash(root / file) == digest for file, digest in repository["files"].items())
        return (
            f"{repository['repository']},"
            f" {'files as known' if same else 'some files differ from the known ones: check the lines'}"
        )

    def command(self, root: Path) -> str:
        """One line that runs it."""
        repository = self.match(root) or self.repositories[0]
        return str(repository["command"])


def find_profile(name: str) -> Profile:
    """A profile by name.

    Raises:
        FinegrainedError: nothing has that name; the nearest known one is suggested.
    """
    by_name = {profile.name: profile for profile in profiles()}
    if name not in by_name:
        raise FinegrainedError(f"unknown profile '{name}': {nearest(name, by_name)}")
    return by_name[name]


def recognise(root: Path) -> Profile | None:
    """The profile that knows the repository in a folder, None for an unknown one."""
    return next((profile for profile in profiles() if profile.match(root)), None)


def profiles() -> Iterator[Profile]:
    """Every shipped profile."""
    package = importlib.import_module("finegrained_crl_plugins")
    for folder in map(Path, package.__path__):
        for path in sorted(folder.glob("*/retrofit.yaml")):
            yield Profile(path.parent.name, yaml.safe_load(path.read_text(encoding="utf-8"))["repositories"])


def apply_profile(name: str, settings: Settings) -> Settings:
    """Complete settings by a profile; `--only` of the user wins, shims add up.

    Args:
        name: of the profile.
        settings: what the user gave.
    """
    profile, here = find_profile(name), Path.cwd()
    return replace(
        settings,
        only=settings.only or profile.only(here),
        roles=profile.roles(here),
        shims=tuple(dict.fromkeys([*settings.shims, *profile.shims(here)])),
    )


def _is_this(known: dict[str, Any], root: Path) -> bool:
    files = known["files"]
    if not all((root / file).is_file() for file in files):
        return False
    return any(_hash(root / file) == digest for file, digest in files.items())


def _hash(path: Path) -> str:
    """SHA-256 of a file with Unix line ends: a checkout on Windows is the same file."""
    return hashlib.sha256(path.read_bytes().replace(b"\r\n", b"\n")).hexdigest() if path.is_file() else ""
