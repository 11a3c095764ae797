"""One table as Markdown and as LaTeX (booktabs), from plain cells."""

from __future__ import annotations

from collections.abc import Sequence

SPECIAL = {"&": r"\&", "%": r"\%", "_": r"\_", "#": r"\#", "$": r"\$", "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "±": r"$\pm$"}


def markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; the first column is text, the others stand to the right.

    >>> print(markdown(["loss", "exact %"], [["ce", "50.1"]]))
    | loss | exact % |
    |---|---:|
    | ce | 50.1 |
    """
    lines = [columns, *rows]
    shown = ["| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in lines]
    return "\n".join([shown[0], "|---|" + "---:|" * (len(columns) - 1), *shown[1:]])


def latex(columns: Sequence[str], rows: Sequence[Sequence[str]], caption: str) -> str:
    r"""A LaTeX table for the package booktabs.

    >>> print(latex(["loss", "exact %"], [["ce", "50.1"]], "Faces").splitlines()[3])
    \begin{tabular}{lr}
    """
    body = [" & ".join(map(escape, row)) + r" \\" for row in rows]
    head = " & ".join(map(escape, columns)) + r" \\"
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{escape(caption)}}}",
            rf"\begin{{tabular}}{{l{'r' * (len(columns) - 1)}}}",
            r"\toprule",
            head,
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def escape(text: str) -> str:
    r"""Text that LaTeX prints as it is.

    >>> escape("a_b 5 %")
    'a\\_b 5 \\%'
    """
    plain = text.replace("\\", "/")
    return "".join(SPECIAL.get(letter, letter) for letter in plain)
