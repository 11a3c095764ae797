"""What was learned by watching the untouched program: which chains of calls train, and the end of that watching."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from finegrained_crl.retrofit.account.flows import Account
from finegrained_crl.retrofit.account.ledger import Ledger
from finegrained_crl.retrofit.running.bits import end_process
from finegrained_crl.retrofit.running.look import Found
from finegrained_crl.retrofit.sites.rows import Row
from finegrained_crl.retrofit.sites.settings import Settings

PATIENCE = 10  # times the asked number of updates, before a program that never validates is taken for one
CALLS = 100  # times that number of calls, before one whose updates can't be seen, or that never trains, is ended


class Learned:
    """Applies a lock file's sites in a run, and ends the process in learn mode.

    Args:
        settings: of the run.
        ledger: where the end of learning is noted.
        account: tells of updates.
    """

    def __init__(self, settings: Settings, ledger: Ledger, account: Account) -> None:
        self._settings, self._ledger = settings, ledger
        self._by_chain = {_key(entry): entry for entry in settings.learned}
        self._by_site: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
        for entry in settings.learned:
            self._by_site.setdefault(_key(entry)[:3], []).append(entry)
        self._updates, self._calls, self._validated = 0, 0, False
        if settings.mode == "learn":
            account.after_update = self._updated

    def applied(self, site: Found, loss: str) -> Found:
        """The site with what was seen in place of what was guessed; unchanged where nothing was seen."""
        entry = self._entry(site, loss)
        if entry is None or entry["verdict"] == "open":
            return site
        facts = replace(site.facts, verdict=entry["verdict"], why=entry["why"])
        if entry["problem"]:
            return replace(site, facts=replace(facts, problem=entry["problem"]))
        if entry["verdict"] == "mixed":
            mixed = "" if site.facts.guarded or site.module_depth >= 0 else entry["why"]
            return replace(site, facts=replace(site.facts, problem=site.facts.problem or mixed))
        return replace(site, facts=replace(facts, own_verdict=facts.verdict, guarded=False), guards=[], module_depth=-1)

    def _entry(self, site: Found, loss: str) -> dict[str, Any] | None:
        facts = site.facts
        at = (str(facts.place), site.column, loss)
        entry = self._by_chain.get((*at, tuple(map(str, facts.callers[:40]))))
        same = self._by_site.get(at, [])
        if entry is None and same and len({other["verdict"] for other in same}) == 1:
            entry = same[0]
        return entry

    def called(self, *, can_train: bool) -> None:
        """A call was seen; one through which no gradient can flow is a validation."""
        self._validated = self._validated or (self._updates > 0 and not can_train)
        self._calls += 1
        if self._settings.mode == "learn" and self._calls >= CALLS * self._settings.steps:
            self._end()

    def _updated(self) -> None:
        self._updates += 1
        steps = self._settings.steps
        if self._updates >= steps and (self._validated or self._updates >= PATIENCE * steps):
            self._end()

    def _end(self) -> None:
        self._ledger.state(learned_updates=self._updates, validated=self._validated)
        end_process()


def _key(entry: Row | dict[str, Any]) -> tuple[Any, ...]:
    return entry["site"], entry["column"], entry["loss"], tuple(entry["callers"])


def sites_of(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """The entries of a lock file: a verdict for each chain of calls that was seen.

    Args:
        rows: of the ledgers of a run in learn mode, with their counters.
    """
    chains: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        if row["kind"] != "call" or not row["count"] or row.get("compiled") or row.get("unseen"):
            continue
        entry = chains.setdefault(_key(row), _entry_of(row))
        for name in ("count", "flowed", "updated"):
            entry[name] += row.get(name, 0)
        entry["problem"] = entry["problem"] or row.get("ingredient", "")
    for entry in chains.values():
        entry["verdict"], entry["why"] = _judged(entry)
    return sorted(chains.values(), key=lambda entry: (entry["site"], entry["column"], entry["callers"]))


def _entry_of(row: Row) -> dict[str, Any]:
    kept = {name: row[name] for name in ("site", "column", "loss", "expression", "role", "callers")}
    return {**kept, "count": 0, "flowed": 0, "updated": 0, "problem": ""}


def _judged(entry: dict[str, Any]) -> tuple[str, str]:
    calls, flowed, updated = entry["count"], entry["flowed"], entry["updated"]
    if not flowed:
        return "eval", f"seen: no gradient flowed through any of {calls} calls"
    if not updated:
        return "open", f"seen: gradients flowed through {flowed} of {calls} calls, and none took part in an update"
    if flowed >= calls - 1:  # the process ends inside a step
        return "train", f"seen: gradients flowed through {flowed} of {calls} calls"
    return "mixed", f"gradients flowed through {flowed} of {calls} calls of one chain, and nothing tells which"
