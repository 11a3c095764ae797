"""Write a choice of sites down as a diff: calls are rewritten where they stand, nothing else of a file changes.

Where all calls of a criterion are chosen, the line that builds it changes; where only some are, those calls take the
criterion's CRL twin and evaluation goes on with the criterion itself.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from finegrained_crl.errors import FinegrainedError
from finegrained_crl.retrofit.edits.calls import OF_FUNCTION, rewritten, settings_of
from finegrained_crl.retrofit.edits.diff import diff_of
from finegrained_crl.retrofit.edits.places import Edit, apply, decode_part, encoded, offsets
from finegrained_crl.retrofit.reading.holders import BY_NAME
from finegrained_crl.retrofit.reading.imports import CRITERIA, TIMM
from finegrained_crl.retrofit.reading.source import Source, read_source
from finegrained_crl.retrofit.scanning.found import Scan, Site

NAMED_INPUT = re.compile(r"\binput\s*=[^=]")


class NotCertainError(FinegrainedError):
    """What is called at a site may be something else than a criterion."""


@dataclass
class Patch:
    """The diff and what it leaves out."""

    diff: bytes
    edited: list[str]
    refused: dict[str, str]
    shared: list[str]  # calls that their callers may use for evaluation too: a run asks the callers, a diff can't


def make_patch(found: Scan, alpha: float = 1.5, beta: float = 1.0) -> Patch:
    """Make the diff for the sites that a scan marks "replace".

    Args:
        found: a scan with the user's choice.
        alpha, beta: of CRL; written out where they are not the defaults.
    """
    settings = settings_of(alpha, beta)
    diff, edited, shared = b"", [], []
    refused: dict[str, str] = {}
    sites = _targets(found.sites)
    for file in dict.fromkeys(site.file for site in sites):
        path = found.root / file if found.root.is_dir() else found.root
        source, edits = read_source(path), []
        for site in (s for s in sites if s.file == file):
            try:
                if inner := _computed_in(site, found.sites):
                    raise FinegrainedError(f"{inner.function} computes it: name {inner.place} instead")
                edits.append(_edit(source, site, settings))
                edited.append(f"{site.file}:{site.line}")
                shared += [edited[-1]] if site.kind == "call" and not site.verdict else []
            except NotCertainError as error:
                refused[f"{site.file}:{site.line}"] = str(error)
                edits.append(_comment(source, site))
            except FinegrainedError as error:
                refused[f"{site.file}:{site.line}"] = str(error)
            except RecursionError:
                refused[f"{site.file}:{site.line}"] = "nested too deeply; edit it by hand"
        if edits:
            diff += diff_of(file, source.data, apply(source, edits))
    return Patch(diff, edited, refused, shared)


def _comment(source: Source, site: Site) -> Edit:
    """A line above the statement that says why it was left."""
    assert source.tree is not None
    statements = [n for n in ast.walk(source.tree) if isinstance(n, ast.stmt) and n.lineno <= site.line]
    line = max(n.lineno for n in statements if (n.end_lineno or n.lineno) >= site.line)
    start = sum(map(len, source.lines[: line - 1]))
    text = source.lines[line - 1]
    newline = b"\r\n" if text.endswith(b"\r\n") else b"\n"
    indent = text[: len(text) - len(text.lstrip())]
    why = b"# fgcrl: left as it is; what is called here may be another object than a cross-entropy"
    return Edit(start, start, indent + why + newline, None)


def _targets(sites: list[Site]) -> list[Site]:
    """The lines to edit: constructions whose every call is chosen, else the chosen calls."""
    built = [s for s in sites if s.kind == "construction"]
    # A line may build several: it is replaced as a whole only where all of them can be.
    in_parts = {str(site.place) for site in built if not _can_be_whole(site, sites)}
    whole = {str(site.place) for site in built} - in_parts
    chosen = [s for s in sites if s.action == "replace"]
    calls = [s for s in chosen if s.kind == "call" and not (s.built and set(s.built) <= whole)]
    edited = {str(s.place) for s in calls}
    calls += [s for s in sites if not s.is_certain]
    calls = [s for s in calls if not (inner := _computed_in(s, sites)) or str(inner.place) not in edited]
    return [s for s in chosen if s.kind == "construction" and str(s.place) in whole] + calls


def _computed_in(call: Site, sites: list[Site]) -> Site | None:
    """Where a called subclass computes cross-entropy in a forward of its own."""
    if not call.built:
        return None
    names = {f"{loss}.forward" for loss in call.loss.split("/")}
    return next((s for s in sites if s.kind == "call" and s.loss in OF_FUNCTION and s.function in names), None)


def _can_be_whole(site: Site, sites: list[Site]) -> bool:
    calls = [s for s in sites if s.kind == "call" and str(site.place) in s.built]
    others = {b for call in calls for b in call.built} - {str(site.place)}
    simple = site.owner == "" and (site.loss in CRITERIA - {"NLLLoss", "NLLLoss2d"} or site.loss in TIMM)
    simple = simple or (site.owner == "partial" and not any(NAMED_INPUT.search(c.expression) for c in calls))
    return (
        bool(calls)
        and simple
        and not others
        and all(c.action == "replace" and c.verdict == "train" and not c.guard and c.is_certain for c in calls)
    )


def _edit(source: Source, site: Site, settings: list[str]) -> Edit:
    if site.guard and not site.built:
        raise FinegrainedError(
            f"one call serves training and evaluation (`{site.guard}`); edit it by hand, or use `fgcrl retrofit run`"
        )
    if site.built and site.loss in OF_FUNCTION:
        raise FinegrainedError("its `partial` serves other calls too; edit it by hand, or use `fgcrl retrofit run`")
    if not site.is_certain:
        raise NotCertainError(
            f"`{site.expression[:60]}` may be another object: the attribute is also given something that is no"
            " criterion; it is left"
        )
    if site.built and BY_NAME in site.loss:
        raise FinegrainedError(
            "its criterion is chosen by name when the program runs; edit it by hand, or use `fgcrl retrofit run`"
        )
    start, end = offsets(source, site)
    text, needs = rewritten(decode_part(source, start, end), site, settings)
    return Edit(start, end, encoded(source, text), needs)
