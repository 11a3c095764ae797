"""Cells on nodes that don't see the study's folder: what one runs there, and what comes home of it.

On its node a cell lives in a small study of its own below the scratch folder: its recipe, its log, its run folder, and
leases among the processes of that node. What is asked for of a committed run travels as bytes; the launcher, which
holds the cell's lease in the true study, writes it there.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from finegrained_crl import files
from finegrained_crl.crossval import scratch
from finegrained_crl.crossval.leases import End, Leases
from finegrained_crl.crossval.one_cell import Order, run_one
from finegrained_crl.crossval.processes import Processes
from finegrained_crl.training import committed

Bring = Literal["shared", "results", "weights"]
WEIGHTS = "checkpoints/"


@dataclass(frozen=True)
class Delivery:
    """What a node sends.

    Attributes:
        end: how the cell ended there.
        log: what it wrote.
        files: name -> content, of a committed run, its COMMITTED record among them.
        kept: where the run folder stays, with all that was not sent.
    """

    end: End
    log: bytes = b""
    files: Mapping[str, bytes] = field(default_factory=dict)
    kept: str = ""


def study_on_node(order: Order, recipe: str) -> Path:
    """The small study of a node that stands for the true one.

    Args:
        order: with the true study's folder and a scratch folder.
        recipe: text of the cell's recipe: what a node has finished of another recipe is another cell.
    """
    digest = hashlib.sha256(recipe.encode()).hexdigest()[:8]
    return scratch.place_of(Path(order.scratch), order.study / "cells" / f"{order.cell}-{digest}")


def run_apart(
    order: Order, recipe: str, bring: Bring, leases: Leases, processes: Processes, own: Mapping[str, str]
) -> Delivery | None:
    """Run a cell on this node, or find it finished here, and pack what is asked for.

    Args:
        order: which; its study is the true one, which is not read.
        recipe: text of the cell's recipe.
        bring: "results", or "weights" too.
        leases: of the small study, by this worker, whose heart beats.
        processes: what starts the cell.
        own: of its environment.
    Returns:
        the delivery; None where another process of this node has the cell.
    """
    here = study_on_node(order, recipe)
    place = here / "recipes" / f"{order.cell}.yaml"
    files.make_folder(place.parent)
    files.write_text(place, recipe)
    end = run_one(replace(order, study=here, over=None, scratch=""), leases, processes, own)
    if end is None:
        return None
    log, run = here / "logs" / f"{order.cell}.log", here / "cells" / order.cell
    said = log.read_bytes() if log.is_file() else b""
    if end.outcome != "committed":
        return Delivery(end, said)
    return Delivery(end, said, _packed(run, bring), f"{socket.gethostname()}:{run}")


def _packed(run: Path, bring: Bring) -> dict[str, bytes]:
    names = [name for name in committed.read_record(run) if bring == "weights" or not name.startswith(WEIGHTS)]
    return {name: (run / name).read_bytes() for name in [*names, committed.NAME]}


def write_home(delivery: Delivery, home: Path) -> None:
    """Write a delivery into the study and commit it there: the record names the files that came.

    Args:
        delivery: of a committed run.
        home: run folder of the cell in the study.
    Raises:
        FinegrainedError: a disk is full, or a file did not arrive as the node wrote it.
    """
    record = json.loads(delivery.files[committed.NAME])["files"]
    shutil.rmtree(home, ignore_errors=True)  # what a cell left that began here and did not end
    arrived = record.keys() & delivery.files.keys()
    for name in arrived:
        files.make_folder((home / name).parent)
        files.write_bytes(home / name, delivery.files[name])
    scratch.require_arrived(home, record, arrived, delivery.kept)
    committed.commit(home)
