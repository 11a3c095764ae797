"""Find, without running anything, every place of a repository where a classification loss is built or called.

Each place gets its role, what `fgcrl retrofit run` would do there, and why. Files that can't be read are named.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from finegrained_crl.retrofit.reading.holders import Holders, other_holders, spread
from finegrained_crl.retrofit.scanning.files import others_elsewhere, read_callers, read_files
from finegrained_crl.retrofit.scanning.found import Scan, Site
from finegrained_crl.retrofit.scanning.places import sites_of
from finegrained_crl.retrofit.sites.decision import Choice

ROUNDS = 6


def scan(root: Path, choice: Choice | None = None) -> Scan:
    """Scan a repository.

    Args:
        root: its folder, resolved.
        choice: `--only`, `--skip` and a profile's roles; None: the default.
    """
    result = Scan(root)
    modules = read_files(root, result)
    holders = Holders()
    for _ in range(ROUNDS):
        before, grown = len(modules), spread(modules, holders)
        read_callers(root, result, modules, holders)
        if not grown and len(modules) == before:
            break
    holders.others = other_holders(modules, holders) | others_elsewhere(root, modules, holders)
    for module in modules:
        try:
            result.sites += sites_of(module, holders, choice or Choice())
        except RecursionError:
            result.unreadable[module.file] = "nested too deeply"
    result.sites = _judged(result.sites)
    result.sites.sort(key=lambda s: (s.file, s.line, s.column))
    return result


def _judged(sites: list[Site]) -> list[Site]:
    """Constructions take over what happens to their calls; one that nothing calls is said so."""
    calls: dict[str, list[Site]] = {}
    for site in sites:
        for built in site.built:
            calls.setdefault(built, []).append(site)
    return [
        _judge(site, calls.get(str(site.place), [])) if site.kind == "construction" and not site.action else site
        for site in sites
    ]


def _judge(site: Site, calls: list[Site]) -> Site:
    actions = {call.action for call in calls}
    lines = ", ".join(f"{call.file}:{call.line}" for call in calls[:6])
    if len(calls) > 6:
        lines += " .."
    if not calls:
        action, reason, role = "look", "no call of it was found: unused, or handed to a library", ""
    elif actions == {"replace"}:
        action, reason, role = "replace", f"called at {lines}", "/".join(sorted({c.role for c in calls}))
    elif "replace" in actions:
        action, reason, role = "replace", f"in part: called at {lines}", "/".join(sorted({c.role for c in calls}))
    else:
        action, reason, role = calls[0].action, f"called at {lines}", "/".join(sorted({c.role for c in calls}))
    values = {**asdict(site), "action": action, "reason": reason, "role": role}
    return Site(**values)
