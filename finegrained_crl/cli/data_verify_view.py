"""What `fgcrl data verify` found, for people: counts first, the verdict last; `--json` has every list in full."""

from __future__ import annotations

from typing import Any

from finegrained_crl.cli.show import print_table

MANY = 30
"""So many classes get a line of their own; more get one line together."""
SHOWN = 10
"""So many file names of a kind are listed."""


def show(report: dict[str, Any]) -> None:
    """Print a `VerifyReport.as_dict()`."""
    print(f"{report['dataset']} in {report['data']}: {report['protocol']}")
    print(
        f"{report['images']} images, {report['classes']} classes{_policy(report)}, fingerprint {report['fingerprint']}"
    )
    if report["counts"]:
        rows = [(c["name"], c["expected"], c["found"], "yes" if c["ok"] else "NO") for c in report["counts"]]
        print_table("known counts", ("what", "known", "found", "equal"), rows)
    for kind in ("split", "fold"):
        if report[f"per_{kind}"]:
            print_table(f"images per {kind}", (kind, "images"), report[f"per_{kind}"].items())
    _show_classes(report["per_class"])
    if report.get("label_table"):
        columns = list(dict.fromkeys(name for row in report["label_table"] for name in row))
        print_table(
            "what becomes of each raw label",
            columns,
            ([row.get(c, "") for c in columns] for row in report["label_table"]),
        )
    if report["dropped"]:
        print_table("left out", ("reason", "rows"), report["dropped"].items())
    for kind, names in {**report["files"], **report["conflicts"]}.items():
        _show_names(kind, names)
    for advice in report["advice"]:
        print(f"advice: {advice}")
    looked = "labels only, no image was looked at" if report["labels_only"] else "labels and images"
    print(f"{'fine' if report['ok'] else 'NOT fine'} ({looked})")


def _policy(report: dict[str, Any]) -> str:
    return f", label policy {report['policy']}" if report["policy"] else ""


def _show_classes(per_class: dict[str, int]) -> None:
    if len(per_class) <= MANY:
        print_table("images per class", ("class", "images"), per_class.items())
        return
    least, most = min(per_class, key=per_class.__getitem__), max(per_class, key=per_class.__getitem__)
    print(f"images per class: {per_class[least]} ({least}) to {per_class[most]} ({most})")


def _show_names(kind: str, names: list[Any]) -> None:
    if names:
        listed = ["=".join(n) if isinstance(n, list | tuple) else str(n) for n in names[:SHOWN]]
        more = f" and {len(names) - SHOWN} more (--json lists all)" if len(names) > SHOWN else ""
        print(f"{kind}: {', '.join(listed)}{more}")
