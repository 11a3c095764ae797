"""What happened, added up over all processes: `retrofit.json`, a table, and whether it may be called a success."""

from __future__ import annotations

import platform
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from finegrained_crl.retrofit.account.beside import beside
from finegrained_crl.retrofit.account.judge import Run, notes_of, problems_of
from finegrained_crl.retrofit.account.merge import merge_rows
from finegrained_crl.retrofit.sites.place import Place, names_place
from finegrained_crl.retrofit.sites.rows import Facts, Part, Row
from finegrained_crl.retrofit.sites.settings import Settings

FORMAT = 2
NOTHING = 3  # exit code: the program ran, but no loss was replaced, or not as it should be
GAIN_ERROR = 1e-4  # a gradient that is further from the formula than this (in float32) is shown as wrong


@dataclass
class Receipt:
    """The merged rows of all processes, and what they mean."""

    settings: Settings
    rows: list[Row]
    facts: list[Facts]
    command: Sequence[str] = ()
    exit_code: int | None = None

    @property
    def sites(self) -> list[Row]:
        """The calls, replaced ones first."""
        order = {"replace": 0, "refuse": 1, "leave": 2}
        calls = [row for row in self.rows if row["kind"] == "call" and row["count"]]
        places = {row["site"]: Place.of(row["site"]) for row in calls}
        return sorted(calls, key=lambda r: (order[r["action"]], places[r["site"]].file, places[r["site"]].line))

    @property
    def built(self) -> list[Row]:
        """The criteria, by the line that builds them."""
        return [row for row in self.rows if row["kind"] == "construction"]

    @property
    def replaced(self) -> int:
        """Calls that computed the other loss."""
        return sum(row["count"] for row in self.sites if row["action"] == "replace")

    @property
    def unmatched(self) -> list[str]:
        """Words of `--only` and `--skip` that no call answered to."""
        return [
            word
            for word in (*self.settings.only, *self.settings.skip)
            if not any(_answers(word, row) for row in self.sites)
        ]

    @property
    def explanation(self) -> str:
        """Why nothing was replaced, and what to do; "" where something was."""
        if self.replaced:
            return ""
        if not any(fact.get("armed") for fact in self.facts):
            return "the program never imported torch in a process that was reached" + _seen(self.facts)
        hint = "; `fgcrl retrofit scan` shows what there is"
        if not self.sites and self.built:
            return f"built but never called: {_list(row['site'] for row in self.built)}{hint}"
        if not self.sites:
            return f"no cross-entropy was built or called{hint}"
        if self.unmatched and self.settings.only:
            return (
                f"--only {' '.join(self.unmatched)}: no loss was called there; calls seen at"
                f" {_list(row['site'] for row in self.sites)}"
            )
        if all(row["role"] == "validation" for row in self.sites):
            return (
                f"called only in evaluation: {_list(row['site'] for row in self.sites)}; name a site with --only to"
                " replace it all the same"
            )
        return "every call was left or refused: " + "; ".join(
            f"{row['site']} {row['reason']}" for row in self.sites[:4]
        )

    @property
    def problems(self) -> dict[str, str]:
        """What happened at a site against its decision: trained and left, replaced and never trained, an ingredient."""
        return problems_of(self.sites, self._run) | self._beside[0]

    @property
    def notes(self) -> list[tuple[str, str]]:
        """Site and text of what is no fault, and yet to be known."""
        return notes_of(self.sites, self._run) + self._beside[1]

    @property
    def _beside(self) -> tuple[dict[str, str], list[tuple[str, str]]]:
        return beside(self.rows, has_choice=bool(self.settings.only)) if self.replaced else ({}, [])

    @property
    def _run(self) -> Run:
        has_stepped = any(fact.get("stepped") for fact in self.facts)
        return Run(self.settings.phase, has_stepped, is_stopped=self.exit_code not in (None, 0))

    @property
    def is_success(self) -> bool:
        """Something was replaced, and nothing speaks against it (or `--lenient` lets it pass)."""
        return self.replaced > 0 and (self.settings.lenient or not self.problems)

    @property
    def wrong_gains(self) -> list[str]:
        """Sites whose gradient is not what the formula says; none is expected, ever."""
        return [row["site"] for row in self.sites if (row.get("error") or 0.0) > GAIN_ERROR]

    def as_dict(self) -> dict[str, Any]:
        """The receipt as JSON values."""
        return {
            "format": FORMAT,
            "command": list(self.command),
            "exit_code": self.exit_code,
            "program_failed": None if self.exit_code is None else self.exit_code != 0,
            "loss": {"name": self.settings.loss, **_crl(self.settings)},
            "only": list(self.settings.only),
            "skip": list(self.settings.skip),
            "roles": self.settings.roles,
            "phase": self.settings.phase,
            "lenient": self.settings.lenient,
            "root": self.settings.root,
            "replaced_calls": self.replaced,
            "explanation": self.explanation,
            "unmatched": self.unmatched,
            "problems": self.problems,
            "notes": [f"{site}: {note}" for site, note in self.notes],
            "sites": [_public(row) for row in self.sites],
            "constructions": [_public(row) for row in self.built],
            "shims": [_public(row) for row in self.rows if row["kind"] == "shim"],
            "processes": self.facts,
            "versions": versions(self.facts),
        }


def make_receipt(
    settings: Settings, ledgers: list[Part], command: Sequence[str] = (), exit_code: int | None = None
) -> Receipt:
    """Add up what the processes wrote.

    Args:
        settings: of the run.
        ledgers: from `read_ledgers`.
        command: as the user wrote it.
        exit_code: of the program.
    """
    facts: list[Facts] = [{"pid": part["pid"], **part["facts"]} for part in ledgers]
    return Receipt(settings, merge_rows(ledgers), facts, command, exit_code)


def versions(facts: Iterable[Facts] = ()) -> dict[str, str]:
    """Versions of what took part."""
    versions = {"python": platform.python_version(), "platform": platform.platform()}
    for name in ("finegrained-crl", "torch", "timm", "torchvision", "numpy"):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    seen = next((fact for fact in facts if fact.get("torch")), Facts())
    if seen:  # the program's Python may be another one than ours
        versions |= {"python": seen["python"], "torch": seen["torch"]}
    return versions


def show(receipt: Receipt, path: Path | None) -> None:
    """Print the table to standard error, where it does not mix with the program's output."""
    from rich.console import Console
    from rich.table import Table

    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        console = Console(stderr=True, highlight=False, width=200)
    loss = {"name": receipt.settings.loss, **_crl(receipt.settings)}
    numbers = [f"{name} {value:g}" for name, value in loss.items() if name != "name"]
    title = " ".join(["retrofit:", str(loss["name"]), *numbers])
    table = Table(title=title, title_justify="left", title_style="bold")
    for column in (
        "site",
        "role",
        "decision",
        "calls",
        "gradients flowed",
        "in an update",
        "first CE",
        f"first {receipt.settings.loss}",
        "gain (formula)",
        "why",
    ):
        table.add_column(column, overflow="fold")
    for row in receipt.sites:
        table.add_row(*_cells(row))
    for row in receipt.built:
        table.add_row(row["site"], row["loss"], "built", str(row["count"]), *[""] * 5, f"in {row['function']}")
    try:
        console.print(table, markup=False)
        for site, problem in receipt.problems.items():
            style = "yellow" if receipt.settings.lenient else "bold red"
            console.print(f"{site}: {problem}", markup=False, soft_wrap=True, style=style)
        for line in _remarks(receipt, path):
            console.print(line, markup=False, soft_wrap=True)
    except OSError:
        return  # the terminal is gone; the file is written


def _remarks(receipt: Receipt, path: Path | None) -> Iterable[str]:
    for row in receipt.rows:
        if row["kind"] == "shim" and row["count"]:
            yield (
                f"shim {row['shim']}: {row['what']} ({row['count']}"
                f" times{', ' + row['site'] if row.get('site') else ''})"
            )
    for site, note in receipt.notes:
        yield f"note on {site}: {note}"
    if receipt.wrong_gains:
        yield f"WRONG gradient at {', '.join(receipt.wrong_gains)}: please report this with the receipt"
    if receipt.unmatched and receipt.replaced:
        yield f"no loss was called at {', '.join(receipt.unmatched)}"
    if receipt.explanation:
        yield f"nothing was replaced: {receipt.explanation}"
    else:
        yield f"{receipt.replaced} calls replaced at {sum(row['action'] == 'replace' for row in receipt.sites)} sites"
        yield from _proofs(receipt)
    if path is not None:
        yield f"receipt: {path}    command: {shlex.join(receipt.command)}"


def _proofs(receipt: Receipt) -> Iterable[str]:
    proven = [row for row in receipt.sites if row["action"] == "replace" and row.get("proven")]
    if proven:
        worst = max(row["misfit"] for row in proven)
        passes = sum(row["proven"] for row in proven)
        yield f"proven in the program: gradient at the logits, {passes} backward passes, largest misfit {worst:.1e}"


def _cells(row: Row) -> list[str]:
    number = {name: row.get(name) for name in ("first_ce", "first_loss", "gain", "expected_gain")}
    text = {name: "" if value is None else f"{value:.4f}" for name, value in number.items()}
    gain = text["gain"] + (f" ({text['expected_gain']})" if text["expected_gain"] else "")
    done = {"replace": "replaced", "leave": "left", "refuse": "refused"}[row["action"]]
    return [
        row["site"],
        row["role"],
        done,
        str(row["count"]),
        str(row.get("flowed", "")),
        str(row.get("updated", "")),
        text["first_ce"],
        text["first_loss"],
        gain,
        row["reason"],
    ]


def _public(row: Row) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in ("kind", "values")}


def _answers(word: str, row: Row) -> bool:
    places = [Place.of(row["site"], row["function"]), *map(Place.of, (*row["callers"], *row["built"]))]
    return (
        word == row["role"]
        or any(names_place(word, place) for place in places)
        or row["reason"].endswith((f"--only {word}", f"--skip {word}"))
    )


def _crl(settings: Settings) -> dict[str, float]:
    return {"alpha": settings.alpha, "beta": settings.beta} if settings.loss == "crl" else {}


def _list(sites: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(sites))


def _seen(facts: Sequence[Facts]) -> str:
    return "" if facts else " (no process of it could be reached: another Python, or a clean environment?)"
