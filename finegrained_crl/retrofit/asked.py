"""What `scan` and `patch` are asked for on the command line: a repository, and SITEs that it must hold."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Iterable
from pathlib import Path

from finegrained_crl.errors import FinegrainedError
from finegrained_crl.retrofit.reading.tree import repository
from finegrained_crl.retrofit.scanning.found import Scan, Site
from finegrained_crl.retrofit.sites.place import Place, names_place

SHOWN = 5


def asked_repository(options: argparse.Namespace) -> Path:
    """The repository, also where it stands behind the words of `--only` or `--skip`, which take all that follows.

    Args:
        options: with `repository` (None where argparse found none), `only` and `skip`.
    Raises:
        FinegrainedError: none is named, or it does not exist.
    """
    if options.repository is not None:
        return repository(options.repository)
    for words in (options.only, options.skip):
        if len(words) > 1 and Path(words[-1]).exists():
            return repository(Path(words.pop()))
    raise FinegrainedError("no repository named; write it first: fgcrl retrofit scan REPO --only SITE")


def check_asked(found: Scan, words: Iterable[str]) -> None:
    """Refuse words that name none of the sites.

    Raises:
        FinegrainedError: one does not; the nearest ones are listed.
    """
    for word in words:
        if not any(_answers(site, word) for site in found.sites):
            places = list(dict.fromkeys(str(s.place) for s in found.sites if s.kind != "look"))
            near = difflib.get_close_matches(word, places, SHOWN, 0.5) or places[:SHOWN]
            rest = f"; sites near it: {', '.join(near)}" if near else "; this repository has no site"
            raise FinegrainedError(
                f"no site at '{word}'{rest} (a caller's line is known to `fgcrl retrofit run` alone)"
            )


def _answers(site: Site, word: str) -> bool:
    roles = site.role.split("/")
    return word in roles or any(names_place(word, place) for place in (site.place, *map(Place.of, site.built)))
