"""What the ledger's files hold: typed here, once, for all who write and read them."""

from __future__ import annotations

from typing import TypedDict


class Counters(TypedDict, total=False):
    """Counters of a row, added up over processes; a row that is being written has none."""

    count: int  # calls, builds or uses
    flowed: int  # of these, passed by a gradient on its way to parameters
    updated: int  # of these, in an update of parameters
    skipped: int  # dropped by the program because the value was not finite
    zeroed: int  # passed by a finite gradient that was set to zero before any update
    looked: int  # backward passes that were looked at, and stand for so many
    undone: int  # in updates that a loaded state undid, after which training went on
    discarded: int  # passed by a gradient, of callers whose gradients never were in an update; or zeroed, if many


class Measured(TypedDict, total=False):
    """The first batch of a replaced site."""

    first_ce: float | None
    first_loss: float | None
    gain: float | None  # the measured factor between the gradients
    expected_gain: float | None  # by the closed form
    error: float | None  # largest distance to the closed form, element by element, relative to its largest
    sampled: int  # rows that were looked at, where there were too many for all
    not_measured: str  # why there are no figures


class Proven(TypedDict, total=False):
    """What the gradients that arrived at the logits showed."""

    proven: int  # backward passes that were compared
    proof_rows: int  # rows of the last one
    misfit: float
    ingredient: str  # why the value is not used as a loss
    values: list[list[str]]  # bits of the first calls' values, where two runs are compared


class Row(Counters, Measured, Proven, total=False):
    """A place of the program and one decision about it.

    `kind` is "call", "construction" (of a criterion), "other" (a loss that is no watched call) or "shim"; places are
    "file:line".
    """

    kind: str
    site: str
    column: int  # -1: unknown
    function: str
    loss: str
    expression: str
    role: str
    action: str  # "replace", "leave" or "refuse"
    reason: str
    built: list[str]
    callers: list[str]
    takes_evaluation: bool  # was asked to replace evaluation, too
    compiled: bool
    unseen: bool  # a loss without a hook
    note: str
    layer: str  # the first site whose scores the same layer computes
    of: str  # the site whose class layer another loss trains, too
    shim: str
    what: str
    processes: int


class Facts(TypedDict, total=False):
    """About one process."""

    pid: int
    argv: list[str]
    executable: str
    python: str
    torch: str
    armed: bool  # the hooks are in place
    stepped: bool  # an optimiser's step was seen
    learned_updates: int
    validated: bool  # a validation was seen while learning
    recorded: list[list[str]]  # bits of the losses, where a patched program is compared


class Part(TypedDict):
    """The file of one process."""

    pid: int
    rows: list[Row]
    facts: Facts
