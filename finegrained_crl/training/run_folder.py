"""The run folder: what a training run leaves on disk, and the only thing that reports and predictions read.

- recipe.yaml: every setting that ran, resolved
- epochs.csv: one line per epoch
- predictions.parquet: id, path, label, fold, subject and the data set's own columns, part, weights, logits of every
  evaluated picture
- results.json: metrics with their protocol
- model_card.md: what it is, what it was measured on, what it is not for
- data.parquet: what the run was trained on: each picture's label, split and SHA-256
- sittings.json: command, machine, source and memory of each process that worked on it; no number depends on it
- changes.json: changes of the data that the user accepted between kill and resume, if any
- checkpoints/: last.pt (to resume), previous_last.pt, best.pt (selected on validation), model_*.safetensors (to use)
- tensorboard/: event files
- COMMITTED: SHA-256 of the files above; there when, and only when, the run is complete
"""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from finegrained_crl import discovery, files
from finegrained_crl.data.regular import read_regular
from finegrained_crl.data.structured import read_yaml
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.training import committed
from finegrained_crl.training.recipe import COMPONENTS, Recipe

if TYPE_CHECKING:  # these load pandas, which readers of states and recipes do without
    from finegrained_crl.data.fingerprint import DataFingerprint

FORMAT = 2
"""Number of the layout of a run folder, in results.json; a reader refuses any other."""


SUCCESSOR = "FINEGRAINED_CRL_SUCCESSOR"
"""Environment variable of a cell: the file that is there once another worker has taken it (crossval/leases.py)."""


class RunFolder:
    """Paths and state of one run folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.recipe = folder / "recipe.yaml"
        self.epochs = folder / "epochs.csv"
        self.predictions = folder / "predictions.parquet"
        self.results = folder / "results.json"
        self.checkpoints = folder / "checkpoints"
        self.last = self.checkpoints / "last.pt"
        self.best = self.checkpoints / "best.pt"
        self.tensorboard = folder / "tensorboard"
        self.data = folder / "data.parquet"
        self.changes = folder / "changes.json"
        self.committed = folder / committed.NAME
        self.model_card = folder / "model_card.md"

    def weights(self, which: str) -> Path:
        """The exported model: `which` is "last" or "selected"."""
        return self.checkpoints / f"model_{which}.safetensors"

    def loss_weights(self, which: str) -> Path:
        """The losses' own weights, for those that have some."""
        return self.checkpoints / f"loss_{which}.safetensors"

    @property
    def is_done(self) -> bool:
        """Whether the run is complete."""
        return self.committed.is_file()

    @property
    def holds_run(self) -> bool:
        """Whether a run was begun here."""
        return self.recipe.is_file()

    def check(self, recipe: dict[str, Any], *, resume: bool) -> None:
        """Check that a run with this recipe may begin, or go on, here.

        Raises:
            FinegrainedError: the folder holds another run, one that `resume` was not asked for, or files of something
                else.
        """
        from finegrained_crl.data.identity import require_unicode

        require_unicode([str(self.folder)], self.folder)  # TensorBoard takes no other name
        if self.holds_run:
            self._check_same(recipe, resume)
        elif self.folder.is_dir() and not self._only_leftovers():
            raise FinegrainedError(f"{self.folder} is not empty and holds no run: choose another --out")

    def claim(self, recipe: dict[str, Any], *, resume: bool) -> None:
        """`check`, then make this folder the home of a run with this recipe."""
        self.check(recipe, resume=resume)
        if not self.holds_run:
            files.write_text(self.recipe, committed.sealed(yaml.safe_dump(recipe, sort_keys=False)))

    def commit(self) -> None:
        """Declare the run complete: every file is written.

        Raises:
            FinegrainedError: the run is a cell that another worker took, because this one was silent for too long.
        """
        successor = os.environ.get(SUCCESSOR)
        if successor and os.path.exists(successor):
            raise FinegrainedError(
                f"another worker has taken over the run in {self.folder} (this one was silent for too long, {successor}"
                " says): nothing is committed here, the other one goes on"
            )
        committed.commit(self.folder)

    def checked(self, path: Path) -> Path:
        """A file of this run, its content compared with the COMMITTED record where the run is complete.

        Raises:
            FinegrainedError: it is not what the run wrote.
        """
        if self.is_done:
            committed.check_file(self.folder, path.relative_to(self.folder).as_posix())
        return path

    def read_recipe(self) -> dict[str, Any]:
        """The recipe that runs, or ran, here.

        Raises:
            FinegrainedError: no run here, or a damaged recipe.
        """
        if not self.holds_run:
            raise FinegrainedError(
                f"{self.folder.absolute()} holds no run (no recipe.yaml): give the folder named by --out of a run"
            )
        recipe = read_yaml(self.checked(self.recipe), "the recipe of a run")
        if not self.is_done:
            # No COMMITTED record speaks for it yet, and a run would go on with whatever a changed letter says.
            committed.check_seal(self.recipe)
        return recipe

    def read_results(self) -> dict[str, Any]:
        """The results of a complete run.

        Raises:
            FinegrainedError: no run, an unfinished or damaged one, or one written by another version.
        """
        if not self.is_done:
            self._require_format()
            self.read_recipe()
            raise FinegrainedError(
                f"the run in {self.folder} is not finished: continue it with --resume --out {self.folder}"
            )
        self._require_format()
        return files.read_json(self.checked(self.results))

    def _require_format(self) -> None:
        if not self.results.is_file():
            return
        try:
            number = files.read_json(self.results).get("format")
        except FinegrainedError:
            if self.is_done:
                return  # the COMMITTED record says better what happened to it
            raise
        if number != FORMAT:
            raise FinegrainedError(
                f"{self.results} has format {number}, this version reads {FORMAT}: use the version that wrote it, or"
                " train again"
            )

    def write_data(self, data: DataFingerprint) -> None:
        """Keep what the run is trained on."""
        files.write_bytes(self.data, data.to_bytes())

    def read_data(self) -> DataFingerprint | None:
        """What the run was trained on; None where a kill came before it was written.

        Raises:
            FinegrainedError: the table is damaged.
        """
        from finegrained_crl.data.fingerprint import DataFingerprint

        if not self.data.is_file():
            return None
        try:
            return DataFingerprint.from_bytes(read_regular(self.checked(self.data)))
        except FinegrainedError as error:
            raise FinegrainedError(f"{self.data}: {error}") from error

    def write_changes(self, accepted: list[str]) -> None:
        """Keep what the user accepted, with its digest: until the run is committed nothing else speaks for it."""
        files.write_json(self.changes, {"accepted": accepted, "sha256": _digest(accepted)})

    def read_changes(self) -> list[str]:
        """Changes of the data that the user accepted.

        Raises:
            FinegrainedError: the file is damaged.
        """
        if not self.changes.is_file():
            return []
        stored = files.read_json(self.changes)
        accepted = stored.get("accepted")
        if not isinstance(accepted, list) or stored.get("sha256") != _digest(accepted):
            raise FinegrainedError(f"{self.changes} is damaged (its digest does not fit): {committed.RESTORE}")
        return [str(text) for text in accepted]

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the folder against a second process; the system lets go when this one dies, however it dies."""
        files.make_folder(self.folder)
        try:
            import fcntl
        except ImportError:  # Windows has no flock; two writers are the user's care there
            yield
            return
        with (self.folder / ".lock").open("w") as handle:
            try:
                # lockf, not flock: loader processes would inherit a flock and keep it for seconds after a kill.
                fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise FinegrainedError(
                    f"another process is training in {self.folder}: wait for it, or choose another --out"
                ) from None
            yield

    def _only_leftovers(self) -> bool:
        """Whether a kill before the first file was complete left this folder so."""
        return all(path.name.startswith(".") for path in self.folder.iterdir())

    def _check_same(self, recipe: dict[str, Any], resume: bool) -> None:
        state = "a finished" if self.is_done else "an unfinished"
        stored = self.read_recipe()
        changed = differences(stored, recipe)
        if not resume:
            raise FinegrainedError(
                f"{self.folder} holds {state} run: add --resume to go on with it, or choose another --out"
            )
        if changed:
            raise FinegrainedError(
                f"{self.folder} holds a run with other settings ({'; '.join(changed)}): choose another --out"
            )


def _digest(accepted: list[Any]) -> str:
    return hashlib.sha256(json.dumps(accepted).encode()).hexdigest()


def differences(stored: dict[str, Any], asked: dict[str, Any]) -> list[str]:
    """Settings that differ, as "lr: 0.1 there, 0.01 asked"; "auto" agrees with whatever was timed to be fastest."""
    stored = _brought_up_to_date(stored, asked)
    return [
        f"{key}: {stored.get(key)} there, {asked.get(key)} asked"
        for key in stored
        if stored.get(key) != asked.get(key) and asked.get(key) != "auto"
    ]


def _brought_up_to_date(stored: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
    """A stored recipe with the settings that are younger than it: each had its default then."""
    defaults = Recipe().as_dict()
    filled = {**stored, **{k: defaults.get(k) for k in asked if k not in stored}}
    for kind in COMPONENTS:
        own, wanted = filled.get(kind), asked.get(kind)
        if isinstance(own, dict) and isinstance(wanted, dict) and own.get("name") == wanted.get("name"):
            young = wanted.keys() - own.keys()
            filled[kind] = {**own, **_option_defaults(kind, str(own["name"]), young)} if young else own
    return filled


def _option_defaults(kind: str, name: str, options: Iterable[str]) -> dict[str, Any]:
    if kind == "loss":
        from finegrained_crl.losses.catalogue import loss_class

        cls: Any = loss_class(name)
    else:
        classes = discovery.methods() if kind == "method" else discovery.datasets()
        cls = discovery.find(kind, name, classes)
    parameters = inspect.signature(cls).parameters
    return {option: parameters[option].default for option in options if option in parameters}
