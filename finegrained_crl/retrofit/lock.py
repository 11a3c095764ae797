"""`retrofit.lock`: what was seen in the untouched program, kept so that it can be read, reviewed and used again.

The file names every source that a chain of calls goes through with its SHA-256; where one of them has changed, the lock
is refused.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from finegrained_crl.errors import FinegrainedError
from finegrained_crl.files import write_json
from finegrained_crl.retrofit.account.ledger import read_ledgers
from finegrained_crl.retrofit.launch import run_program
from finegrained_crl.retrofit.running.learned import sites_of
from finegrained_crl.retrofit.sites.place import Place
from finegrained_crl.retrofit.sites.settings import Settings

FORMAT = 1


def learn(command: Sequence[str], settings: Settings, updates: int) -> list[dict[str, Any]]:
    """Run a copy of the untouched program for some updates, and a validation where one comes soon.

    Args:
        command: completed; started once and ended after `updates` steps of an optimiser.
        settings: of the run that follows.
        updates: steps to watch.
    Returns:
        the sites with their verdicts, as `retrofit.lock` holds them.
    Raises:
        FinegrainedError: no classification loss was called.
    """
    with tempfile.TemporaryDirectory(prefix="fgcrl-learn-", ignore_cleanup_errors=True) as folder:
        run_program(command, replace(settings, folder=folder, mode="learn", steps=updates))
        parts = read_ledgers(Path(folder))
    sites = sites_of(row for part in parts for row in part["rows"])
    if not sites:
        raise FinegrainedError("--learn: no classification loss was called; run without it to see why")
    seen = max((part["facts"].get("learned_updates", 0) for part in parts), default=0)
    validated = any(site["verdict"] == "eval" for site in sites)
    after = "" if validated else "; no evaluation was seen"
    print(f"--learn: {len(sites)} chains of calls were watched over {seen or 'all'} updates{after}", file=sys.stderr)
    return sites


def write(path: Path, root: Path, command: Sequence[str], sites: Sequence[dict[str, Any]]) -> None:
    """Write the lock file.

    Args:
        path: of the file.
        root: that sites are named from.
        command: as the user wrote it.
        sites: from `learn`.
    """
    sources = {file: _hash(root / file) for file in _files(sites) if (root / file).is_file()}
    write_json(path, {"format": FORMAT, "command": list(command), "sources": sources, "sites": list(sites)})


def read(path: Path, root: Path) -> tuple[dict[str, Any], ...]:
    """Read the sites of a lock file.

    Args:
        path: of the file.
        root: that its sources are named from.
    Raises:
        FinegrainedError: it is missing or no lock file, or a source has changed.
    """
    try:
        content = json.loads(path.read_text())
        sources, sites = content["sources"], tuple(content["sites"])
        is_known = content["format"] == FORMAT
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FinegrainedError(f"{path} is no lock file that can be read ({error}); write one by --learn N") from error
    if not is_known:
        raise FinegrainedError(f"{path} has format {content['format']}, not {FORMAT}; write it again by --learn N")
    changed = [file for file, digest in sources.items() if _hash(root / file) != digest]
    if changed:
        raise FinegrainedError(f"{path} was learned from other sources ({', '.join(changed[:5])}); use --learn N again")
    return sites


def _files(sites: Iterable[dict[str, Any]]) -> list[str]:
    places = {place for site in sites for place in (site["site"], *site["callers"])}
    return sorted({Place.of(place).file for place in places})


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
