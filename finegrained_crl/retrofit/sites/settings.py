"""What a retrofit is told: passed to every process of the program as one JSON file."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from finegrained_crl.retrofit.sites.decision import Choice, Phase

Mode = Literal["run", "watch", "learn", "patched"]
"""watch: replace nothing, write down the losses; learn: nor decide anything; patched: the program holds CRL itself."""


@dataclass(frozen=True)
class Settings:
    """The choice of sites, the loss, the shims, and where to write what happens."""

    root: str = "."
    folder: str = ""
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    roles: dict[str, str] = field(default_factory=dict)
    loss: str = "crl"
    alpha: float = 1.5
    beta: float = 1.0
    shims: tuple[str, ...] = ()
    mode: Mode = "run"
    phase: Phase = "train"
    lenient: bool = False
    record: bool = False  # with patch --check: write down every value of our losses
    learned: tuple[dict[str, Any], ...] = ()  # the sites of a lock file
    steps: int = 0  # with --verify: stop after so many calls of a chosen site; with --learn: after so many updates
    seed: int | None = None

    @property
    def choice(self) -> Choice:
        """The part that decides about sites."""
        return Choice(self.only, self.skip, self.roles, self.phase)

    def write(self, path: Path) -> None:
        """Write the file that `read_settings` reads."""
        path.write_text(json.dumps(asdict(self)))


def read_settings(path: str) -> Settings:
    """Read what `write` wrote."""
    values: dict[str, Any] = json.loads(Path(path).read_text())
    lists = {name: tuple(values[name]) for name in ("only", "skip", "shims", "learned")}
    return Settings(**{**values, **lists})
