"""What a scan found: one row per place."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from finegrained_crl.retrofit.sites.place import Place


@dataclass(frozen=True)
class Site:
    """One place in the source."""

    file: str
    line: int
    column: int
    kind: str  # "construction", "call" or "look"
    loss: str
    expression: str
    function: str
    role: str
    action: str  # "replace", "leave", "refuse", "look"; of a construction: what happens to its calls
    reason: str
    built: tuple[str, ...] = ()
    verdict: str = ""
    guard: str = ""
    end: tuple[int, int] = (0, 0)
    # "" for a plain `CrossEntropyLoss(..)`, else what stands between: "partial", "indirect", or the computing subclass.
    owner: str = ""
    is_certain: bool = True  # what is called can be nothing but a criterion, as far as names tell

    @property
    def place(self) -> Place:
        """File, line and function."""
        return Place(self.file, self.line, self.function)


@dataclass
class Scan:
    """What a scan found."""

    root: Path
    sites: list[Site] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    files: int = 0
    profile: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The scan as JSON values."""
        return {
            "format": 1,
            "repository": str(self.root),
            "files": self.files,
            "profile": self.profile or None,
            "sites": [
                {k: v for k, v in asdict(site).items() if k not in ("end", "owner", "is_certain")}
                for site in self.sites
            ],
            "unreadable": self.unreadable,
            "notes": self.notes,
        }
