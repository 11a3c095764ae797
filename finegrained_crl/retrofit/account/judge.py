"""The judge: what happened at a site, against what was decided there from names, guards and modes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from finegrained_crl.retrofit.sites.rows import Row

BY_CHOICE = ("--skip ", "not named by --only", "training; --phase eval", "training: ")
UNWATCHED = ("inside torch.vmap", "inside an autograd function")
BY_ROLE = ("distillation: ", "contrastive: ")


@dataclass(frozen=True)
class Run:
    """Of the program.

    Args:
        phase: "train", "eval" or "both", as the user chose.
        has_stepped: an optimiser's step was seen.
        is_stopped: it did not end by itself and well.
    """

    phase: str
    has_stepped: bool
    is_stopped: bool


def problems_of(sites: Iterable[Row], run: Run) -> dict[str, str]:
    """Site -> what is wrong there, for each site where something is.

    Args:
        sites: rows of the receipt with their counters.
        run: of the program.
    """
    problems: dict[str, list[str]] = {}
    for row in sites:
        problem = _problem(row, run)
        if problem:
            problems.setdefault(row["site"], []).append(problem)
    return {site: "; and ".join(dict.fromkeys(texts)) for site, texts in problems.items()}


def notes_of(sites: Iterable[Row], run: Run) -> list[tuple[str, str]]:
    """Site and text of what is no fault, and yet to be known.

    Args:
        sites: rows of the receipt with their counters.
        run: of the program.
    """
    notes = []
    for row in sites:
        notes += [(row["site"], text) for text in (row.get("note", ""), _counted_note(row, run)) if text]
    return notes


def _counted_note(row: Row, run: Run) -> str:
    if row["action"] == "leave" and row["reason"].startswith(BY_ROLE) and row.get("updated"):
        return f"left by its role, and gradients of {row['updated']} of its {row['count']} calls took part in updates"
    if row["action"] != "replace" or _problem(row, run):
        return ""
    if row.get("zeroed"):
        return f"gradients of {row['zeroed']} of {row['flowed']} calls were set to zero unused"
    if row.get("undone"):
        return (
            f"updates of {row['undone']} of {row['flowed']} calls were undone by a state that was loaded again, and"
            " training went on (an evaluation that trains, a search for a learning rate, or bad epochs taken back)"
        )
    unused = row.get("flowed", 0) - row.get("updated", 0)
    if unused > 0 and run.has_stepped:
        return f"gradients of {unused} of {row['flowed']} calls took part in no update"
    return ""


def _problem(row: Row, run: Run) -> str:
    if "flowed" not in row:
        return ""
    if row["action"] == "replace":
        return _of_replaced(row, run)
    if row["action"] == "refuse":
        return _of_refused(row)
    return _of_left(row)


def _of_replaced(row: Row, run: Run) -> str:
    if row.get("ingredient"):
        return f"NOT A LOSS THERE: {row['ingredient']}"
    if row.get("takes_evaluation") or run.phase != "train":
        return ""
    calls = row["count"] - row["skipped"]
    idle = calls - row["flowed"]
    # The program may have been stopped between a call and its backward pass, and before an update.
    excused = row.get("processes", 1) if run.is_stopped else 0
    if calls > excused and not row["flowed"]:
        return (
            f"REPLACED AND NEVER TRAINED: no backward pass reached parameters through any of {calls} calls; it is"
            " evaluation, its value is only shown, or trains by itself (--skip it, or name it with --phase both)"
        )
    if idle > excused:
        return (
            f"REPLACED IN EVALUATION: no backward pass went through {idle} of {calls} replaced calls; --learn N tells"
            " them apart by what is seen, --only by the caller's line"
        )
    if not run.has_stepped or row["reason"].startswith("--only ") or (run.is_stopped and not row.get("zeroed")):
        return ""
    if row["flowed"] and not row["updated"]:
        return (
            f"REPLACED, NEVER IN AN UPDATE: gradients flowed through {row['flowed']} calls, and no parameter was"
            " changed by them, or kept the change (an attack, a saliency map, an evaluation whose training is undone);"
            " --skip it, or name it with --only"
        )
    if row.get("discarded"):
        return (
            f"REPLACED, AND NOT ALWAYS IN AN UPDATE: the gradients of {row['discarded']} of {row['flowed']} calls were"
            " thrown away (a validation that runs a backward pass, an attack; or gradients that the program copies by"
            " hand before it sets them to zero); --learn N tells callers apart, --only by their lines"
        )
    return ""


def _of_refused(row: Row) -> str:
    if row.get("unseen"):
        return f"TRAINED WITH THE PROGRAM'S OWN LOSS: {row['reason']}, which stays what it is"
    if row.get("compiled") or row["updated"] or row["reason"].startswith(UNWATCHED):
        return f"REFUSED, SO IT TRAINED WITH THE PROGRAM'S OWN LOSS: {row['reason']}"
    return ""


def _of_left(row: Row) -> str:
    if row["reason"].startswith((*BY_CHOICE, *BY_ROLE)) or not row["updated"]:
        return ""
    calls = f"{row['updated']} of its {row['count']} calls"
    return (
        f"LEFT AND YET TRAINED: left as `{row['reason']}`, but gradients of {calls} took part in updates, as the"
        " program's own loss; name it with --only, or use --learn N"
    )
