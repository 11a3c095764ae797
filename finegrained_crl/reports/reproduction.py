"""docs/reproduction.md: every published number of the study files, what became of it, and what the paper says twice."""

from __future__ import annotations

from collections.abc import Iterable

from finegrained_crl.crossval.collect import Collected
from finegrained_crl.reports.ledger import Entry, ledger_sheet, not_run
from finegrained_crl.reports.study import StudyFigures
from finegrained_crl.reports.tables import markdown
from finegrained_crl.studies.study_file import StudyFile

HEAD = """# Reproduction

Written by `python tools/reproduction.py STUDY .. --out docs/reproduction.md` from study folders; do not edit. A
published number counts as reproduced where it lies within the 95 % interval for one more run of ours, on the same data
with the printed settings; everything shorter, smaller or on copies is "not comparable".
"""


def reproduction(files: Iterable[StudyFile], reports: list[tuple[Collected, StudyFigures]]) -> str:
    """The page.

    Args:
        files: all study files.
        reports: studies that were made from them.
    """
    files = list(files)
    entries = {file.name: _merged(file, reports) for file in files}
    everything = [entry for listed in entries.values() for entry in listed]
    parts = [HEAD, _counts(everything), "## What the paper says twice, and differently", "", *contradictions(files), ""]
    for file in files:
        parts += [f"## {file.title}", "", f"`--study {file.name}`; {file.source}.", ""]
        if entries[file.name]:
            parts += [markdown(ledger_sheet(entries[file.name])), ""]
        parts += [*(f"- {note}" for note in file.notes), ""]
    return "\n".join(parts).rstrip() + "\n"


def contradictions(files: Iterable[StudyFile]) -> list[str]:
    """Numbers that were printed more than once, for the same data, network and loss, and are not the same."""
    printed: dict[tuple[str, ...], dict[float, list[str]]] = {}
    for file in files:
        for row in file.published:
            plan = file.plan(str(row["part"]), "paper")
            words = str(row["variant"]).split(" ")
            named = dict(word.split("=", 1) for word in words[1:] if "=" in word)
            backbone = named.pop("backbone", plan.get("backbone", ""))
            method = named.pop("method", plan.get("recipe", ""))
            options = " ".join(f"{key}={value}" for key, value in sorted(named.items()))
            who = (str(plan.get("dataset", "")), str(backbone), str(method), words[0], options, str(row["metric"]))
            printed.setdefault(who, {}).setdefault(float(row["value"]), []).append(str(row["where"]))
    lines = []
    for (dataset, backbone, method, loss, options, metric), values in printed.items():
        if len(values) > 1:
            told = ", ".join(f"{value:g} ({' and '.join(dict.fromkeys(where))})" for value, where in values.items())
            network = " ".join(filter(None, (method, backbone)))
            lines.append(f"- {' '.join(filter(None, (loss, options)))}, {network} on {dataset}, {metric} %: {told}")
    return lines or ["- nothing that the study files hold"]


def _merged(file: StudyFile, reports: list[tuple[Collected, StudyFigures]]) -> list[Entry]:
    """The file's numbers, each with the last study that has something to say of it."""
    merged = {_key(entry): entry for entry in not_run(file)}
    for _, figures in reports:
        for entry in figures.ledger:
            if entry.study == file.name and entry.runs:
                merged[_key(entry)] = entry
    return list(merged.values())


def _key(entry: Entry) -> tuple[str, str, str, float]:
    return entry.part, entry.variant, entry.where, entry.published


def _counts(entries: list[Entry]) -> str:
    own = [entry for entry in entries if entry.status != "theirs"]
    kinds = dict.fromkeys(entry.status for entry in own)
    shares = ", ".join(f"{sum(entry.status == kind for entry in own)} {kind}" for kind in kinds)
    return f"Of {len(own)} published numbers: {shares}.\n"
