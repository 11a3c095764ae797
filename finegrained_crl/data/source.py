"""What a data set must be able to do; shipped ones live in `finegrained_crl_datasets`, others come by entry point."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Protocol, runtime_checkable

from finegrained_crl.data.records import Records


@runtime_checkable
class DataSource(Protocol):
    """A reader of one on-disk layout. A dataclass whose fields are its options (`--dataset.OPTION` on the command
    line).
    """

    summary: ClassVar[str]
    """One line for `fgcrl list datasets`."""
    where: ClassVar[str]
    """Where to get the data and which file goes where, for error messages and `fgcrl data verify`."""

    def read(self, data: Path, *, labels_only: bool = False) -> Records:
        """Read the labels below `data`.

        Args:
            data: the folder (or file) given as `--data`.
            labels_only: read annotation files alone; no image needs to be there.
        Returns:
            the records table; whether each image file exists is not checked here.
        Raises:
            FinegrainedError: a file is missing or malformed; the text names it and says what to do.
        """
        ...

    def known_counts(self, data: Path) -> dict[str, int]:
        """Counts that `read` must give ("images", "classes", "train", "test", "fold 0" ..), {} where nobody published
        any.

        Args:
            data: as for `read`: a generated set states its own counts, and a missing test annotation lowers them.
        """
        ...
