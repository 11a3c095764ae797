"""`with retrofit() as receipt:` - the same replacement, in this process, for as long as the block lasts."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import weakref
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from finegrained_crl.errors import FinegrainedError
from finegrained_crl.retrofit.account.ledger import Ledger, read_ledgers
from finegrained_crl.retrofit.account.receipt import Receipt, make_receipt, show
from finegrained_crl.retrofit.launch import reaching_children
from finegrained_crl.retrofit.running.hooks import Instruments
from finegrained_crl.retrofit.sites.decision import Phase
from finegrained_crl.retrofit.sites.place import check_sites
from finegrained_crl.retrofit.sites.rows import Row
from finegrained_crl.retrofit.sites.settings import Settings


class retrofit:  # noqa: N801  (used like a function)
    """Let chosen calls of cross-entropy compute CRL inside a `with` block.

    Processes that are started inside it (ranks, DataLoader workers, forked or spawned) are reached as well, and their
    receipts are added to this one.

    Args:
        alpha, beta: of CRL.
        loss: another loss of the catalogue that works on logits.
        only, skip: SITEs as on the command line; without `only`, every call in training.
        phase: "train", "eval" or "both": which calls of the chosen sites.
        root: folder that sites are named from; None: the working folder.
    Raises:
        FinegrainedError: a SITE or the loss is unknown, another `with retrofit()` is active, or nothing can be written
            to the folder for temporary files.
        ValueError: alpha or beta is negative.

    >>> import torch
    >>> logits = torch.zeros(2, 8, requires_grad=True)
    >>> with retrofit() as receipt:
    ...     loss = torch.nn.functional.cross_entropy(logits, torch.tensor([5, 0]))
    ...     loss.backward()
    >>> loss, receipt.replaced
    (tensor(2.9444, grad_fn=<DotBackward0>), 1)
    """

    _active = False

    def __init__(
        self,
        alpha: float = 1.5,
        beta: float = 1.0,
        *,
        loss: str = "crl",
        only: Sequence[str] = (),
        skip: Sequence[str] = (),
        phase: Phase = "train",
        root: Path | None = None,
    ) -> None:
        if isinstance(only, str) or isinstance(skip, str):
            raise FinegrainedError('only and skip are lists of SITEs: only=["train.py:36"]')
        check_sites([*only, *skip])
        folder = _ledgers_of(self)
        self._settings = Settings(
            str(root or Path.cwd()), str(folder), tuple(only), tuple(skip), {}, loss, alpha, beta, phase=phase
        )
        self._ledger = Ledger(folder)
        self._instruments: Instruments | None = None
        self._children = ExitStack()
        self._exit_code: int | None = None

    def __enter__(self) -> retrofit:
        if retrofit._active:
            raise FinegrainedError("a `with retrofit()` is active already; end it first, or name both choices in one")
        self._instruments = Instruments(self._settings, self._ledger)
        self._instruments.dispatcher.chains.base = sys._getframe(1)
        self._ledger.state(armed=True)
        self._exit_code = None
        settings_file = Path(self._settings.folder) / "settings.config"
        self._settings.write(settings_file)
        self._children.enter_context(reaching_children(settings_file))
        retrofit._active = True
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        assert self._instruments is not None
        self._exit_code = None if error is None else 1
        self._children.close()
        self._instruments.remove()
        self._instruments.dispatcher.chains.base = None
        retrofit._active = False

    @property
    def receipt(self) -> Receipt:
        """What happened so far, in this process and in those that it started inside the block."""
        return make_receipt(self._settings, read_ledgers(Path(self._settings.folder)), exit_code=self._exit_code)

    @property
    def replaced(self) -> int:
        """Calls that computed the other loss."""
        return self.receipt.replaced

    @property
    def sites(self) -> list[Row]:
        """The calls so far, replaced ones first."""
        return self.receipt.sites

    @property
    def explanation(self) -> str:
        """Why nothing was replaced; "" where something was."""
        return self.receipt.explanation

    @property
    def problems(self) -> dict[str, str]:
        """Site -> what happened there against its decision; empty where all is as it should be."""
        return self.receipt.problems

    def as_dict(self) -> dict[str, Any]:
        """The receipt as JSON values."""
        return self.receipt.as_dict()

    def show(self) -> None:
        """Print the receipt as a table, to standard error."""
        show(self.receipt, None)


def _ledgers_of(owner: retrofit) -> Path:
    """A folder for the ledgers of this process and of its children, which lives as long as the owner."""
    try:
        folder = tempfile.mkdtemp(prefix="fgcrl-retrofit-")
    except OSError as error:
        raise FinegrainedError(
            f"no folder for the receipts of this process and its children ({error.strerror or error}): set TMPDIR to"
            " one that can be written"
        ) from error
    weakref.finalize(owner, _remove, folder, os.getpid())
    return Path(folder)


def _remove(folder: str, owner: int) -> None:
    if os.getpid() == owner:  # a fork holds a copy of the owner, and must leave the folder
        shutil.rmtree(folder, ignore_errors=True)
