"""What is said of losses that train beside the replaced calls, and are no calls that can be replaced."""

from __future__ import annotations

from collections.abc import Iterable

from finegrained_crl.retrofit.sites.rows import Row

ADVICE = "if it is a class loss, it stays the program's own"


def beside(rows: Iterable[Row], *, has_choice: bool) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Problems by site, and notes, on losses whose gradients took part in updates.

    Args:
        rows: all of the receipt.
        has_choice: the user named sites, so that passes without them are no surprise.
    """
    rows = list(rows)
    explained = {row["site"] for row in rows if row.get("unseen")}
    layers: dict[str, int] = {}
    for row in [row for row in rows if row.get("action") == "replace" and row.get("layer")]:
        layers[row["layer"]] = layers.get(row["layer"], 0) + row.get("looked", 0)
    others = [row for row in rows if row["kind"] == "other" and (row["updated"] or row["reason"])]
    others = [row for row in others if row["site"] not in explained]
    most = [row for row in others if row["of"] and row["looked"] > layers.get(row["of"], 0)]
    notes = [(row["site"], _note(row)) for row in others if row not in most and (row["of"] or not has_choice)]
    return {row["site"]: _problem(row, layers.get(row["of"], 0)) for row in most}, notes


def _note(row: Row) -> str:
    if row["reason"]:
        return row["reason"]
    passes = f"{row['count']} backward passes"
    if not row["of"]:
        return f"{passes} from here train layers without any watched loss; {ADVICE}"
    return (
        f"the layer that computes the class scores of {row['of']} is also trained from here, by what is no replaced"
        f" loss ({passes}, {row['looked']} of them without any replaced one); {ADVICE}"
    )


def _problem(row: Row, replaced: int) -> str:
    return (
        f"TRAINED WITH ANOTHER LOSS: the layer that computes the class scores of {row['of']} is trained from here"
        f" without any replaced loss, in {row['looked']} backward passes against {replaced} with one; {ADVICE}"
    )
