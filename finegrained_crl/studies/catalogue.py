"""The study files by name: ours, and those of other distributions by the entry-point group `finegrained_crl.studies`.

An entry point names a folder of YAML files (a path, or a package); its own name stands before theirs, as `crl-2019`
does before `crl-2019/table-3`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from finegrained_crl import discovery
from finegrained_crl.errors import FinegrainedError, nearest
from finegrained_crl.studies.study_file import StudyFile, read_study_file

GROUP = "finegrained_crl.studies"


def study_files() -> dict[str, Path]:
    """OWNER/NAME -> file.

    Raises:
        FinegrainedError: two distributions offer one owner, or one offers no folder.
    """
    folders = {home.name: home for home in sorted(Path(__file__).parent.iterdir()) if home.is_dir()}
    folders.pop("__pycache__", None)
    for point in discovery.entry_points(group=GROUP):
        if point.name in folders:
            raise FinegrainedError(f"two packages offer '{point.name}' in {GROUP}; uninstall one of them")
        folders[point.name] = _folder(point.name, point.load())
    return {f"{owner}/{path.stem}": path for owner, home in folders.items() for path in sorted(home.glob("*.yaml"))}


def _folder(name: str, offered: Any) -> Path:
    home = Path(next(iter(offered.__path__))) if hasattr(offered, "__path__") else Path(str(offered))
    if not home.is_dir():
        raise FinegrainedError(f"'{name}' in {GROUP} names no folder of studies: {home}")
    return home


def find_study(name: str) -> StudyFile:
    """The study of a name.

    Raises:
        FinegrainedError: nothing has that name, or its file is malformed.
    """
    files = study_files()
    if name not in files:
        raise FinegrainedError(f"--study {name}: no such study; {nearest(name, files)}")
    return read_study_file(name, files[name])
