"""One table of a report, and its forms: Markdown, and LaTeX for the package booktabs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from finegrained_crl import escaping


@dataclass(frozen=True)
class Sheet:
    """One table of a report.

    Attributes:
        name: of its files, and of its LaTeX label.
        title: above it.
        columns: headings.
        rows: cells, as people read them, names as they are.
        text: below it: what the figures are, on how many pictures.
        bold: (row, column) of the best figures.
    """

    name: str
    title: str
    columns: list[str]
    rows: list[list[str]]
    text: str = ""
    bold: frozenset[tuple[int, int]] = field(default_factory=frozenset)


def markdown(sheet: Sheet) -> str:
    """A Markdown table; the first column is text, the others stand to the right.

    >>> print(markdown(Sheet("s", "", ["loss", "exact %"], [["ce", "50.1"]], bold=frozenset([(0, 1)]))))
    | loss | exact % |
    |---|---:|
    | ce | **50.1** |
    """
    rule = "|---|" + "---:|" * (len(sheet.columns) - 1)
    head = list(map(escaping.markdown, sheet.columns))
    body = _emphasised(sheet, escaping.markdown, "**{}**")
    lines = ["| " + " | ".join(cells) + " |" for cells in (head, *body)]
    return "\n".join([lines[0], rule, *lines[1:]])


def latex(sheet: Sheet, protocol: str = "") -> str:
    r"""A LaTeX table with caption, note and label.

    Args:
        sheet: the table.
        protocol: what the figures were measured on, for the caption.

    >>> print(latex(Sheet("losses", "Faces", ["loss", "exact %"], [["ce", "50.1"]])).splitlines()[4])
    \begin{tabular}{lr}
    """
    caption = ". ".join(part.rstrip(".") for part in (sheet.title, protocol, sheet.text) if part) + "."
    body = [" & ".join(cells) + r" \\" for cells in _emphasised(sheet, escaping.latex, r"\textbf{{{}}}")]
    return "\n".join(
        [
            *_engine_needed(sheet, caption),
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{escaping.latex(caption)}}}",
            rf"\label{{tab:{escaping.file_name(sheet.name)}}}",
            rf"\begin{{tabular}}{{l{'r' * (len(sheet.columns) - 1)}}}",
            r"\toprule",
            " & ".join(map(escaping.latex, sheet.columns)) + r" \\",
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def _engine_needed(sheet: Sheet, caption: str) -> list[str]:
    """A comment where pdfLaTeX has no letters for the names: it would end at them."""
    text = "".join([caption, *sheet.columns, *(cell for row in sheet.rows for cell in row)])
    has_other_scripts = any(character > LAST_LATIN and character.isalnum() for character in text)
    return ["% names in other scripts than Latin: XeLaTeX or LuaLaTeX, and a font that has them"] * has_other_scripts


LAST_LATIN = "\u024f"
"""Behind it pdfLaTeX's own encodings end."""


def _emphasised(sheet: Sheet, escape: Callable[[object], str], strong: str) -> list[list[str]]:
    """The cells escaped, the best ones strong."""
    rows = []
    for i, cells in enumerate(sheet.rows):
        shown = [escape(cell) for cell in cells]
        for j in (column for row, column in sheet.bold if row == i):
            shown[j] = strong.format(shown[j])
        rows.append(shown)
    return rows
