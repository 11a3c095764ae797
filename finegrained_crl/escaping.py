"""Text from outside (class names, file names, options) made harmless for the place where it is shown, once per kind of
place.

A class may be called anything: `=cmd|..` is a formula in a spreadsheet, `|` a column in Markdown, ESC a command to a
terminal. Everything that writes such text goes through one of these functions.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata

LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "_": r"\_",
    "#": r"\#",
    "$": r"\$",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "×": r"$\times$",
    "−": r"$-$",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
}
MARKDOWN_MARKS = re.compile(r"([\\`*_<>|~&]|(?<=\])\()")
"""What starts emphasis, code, HTML, an entity or a column; and a parenthesis that would make a link of the brackets
before it."""
FORMULA_STARTS = ("=", "+", "-", "@")
INVISIBLE = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
"""Unicode categories that move the cursor, turn the text around or show nothing."""


def plain(text: object) -> str:
    r"""One line for a terminal: control, direction and surrogate characters are spelt out.

    >>> plain("red\x1b[31m\nnext")
    'red\\x1b[31m\\nnext'
    """
    shown = str(text)
    # Nearly all text is; a report has a hundred thousand cells.
    return shown if shown.isprintable() else "".join(_spelt(letter) for letter in shown)


def _spelt(letter: str) -> str:
    is_visible = letter == " " or unicodedata.category(letter) not in INVISIBLE
    return letter if is_visible else letter.encode("unicode_escape").decode("ascii")


def markdown(text: object) -> str:
    r"""Text that Markdown (and the HTML inside it) shows as it is.

    >>> markdown("a|b <i>")
    'a\\|b \\<i\\>'
    """
    return MARKDOWN_MARKS.sub(r"\\\1", plain(text))


def csv_cell(value: object) -> object:
    """A cell that a spreadsheet does not take for a formula; numbers stay numbers.

    >>> csv_cell("=cmd()"), csv_cell(-0.5), csv_cell("-0.5")
    ("'=cmd()", -0.5, "'-0.5")
    """
    if not isinstance(value, str):
        return value
    shown = plain(value)
    return f"'{shown}" if shown.lstrip().startswith(FORMULA_STARTS) else shown


def latex(text: object) -> str:
    r"""Text that LaTeX prints as it is.

    >>> latex("a_b 5 % -0.3")
    'a\\_b 5 \\% $-$0.3'
    """
    escaped = "".join(LATEX.get(letter, letter) for letter in plain(text))
    # A hyphen before a figure is a minus.
    return re.sub(r"(?<![\w}])-(?=\d)", "$-$", escaped)


def mathtext(text: object) -> str:
    r"""Text for matplotlib, which would read what stands between dollars as a formula.

    >>> mathtext(r"$\frac{1$")
    '\\$\\frac{1\\$'
    """
    return plain(text).replace("$", r"\$")


def file_name(text: str, longest: int = 80) -> str:
    """A file name on every system, different for different texts.

    >>> file_name("crl loss.alpha=2"), file_name("a/b")
    ('crl_loss.alpha=2', 'a_b-c14cddc0')
    """
    safe = re.sub(r"[^A-Za-z0-9.=+-]", "_", text)
    # A space is all that names of variants hold; anything else replaced could make two names one.
    if safe == text.replace(" ", "_") and len(safe) <= longest and not safe.startswith("."):
        return safe
    return f"{safe.lstrip('.')[:longest]}-{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"
