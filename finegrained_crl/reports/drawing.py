"""What all pictures of the toolkit share: a palette for colour-blind readers, fonts that have the letters, safe text,
whole files.
"""

from __future__ import annotations

import functools
import io
import sys
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from finegrained_crl import escaping, files

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Okabe and Ito's palette; line styles repeat the distinction for grey print."""
STYLES = ("-", "--", "-.", ":")


def pyplot(texts: Iterable[str] = ()) -> Any:
    """matplotlib's pyplot without a window, with a font for every letter of `texts` that some installed font has."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    letters = frozenset(ord(letter) for text in texts for letter in text if letter.isprintable())
    plt.rcParams["font.family"] = ["DejaVu Sans", *_fonts_for(letters)]
    return plt


@functools.lru_cache(maxsize=32)
def _fonts_for(letters: frozenset[int]) -> tuple[str, ...]:
    """Installed fonts that between them have the letters which matplotlib's own font lacks."""
    from matplotlib import font_manager
    from matplotlib.ft2font import FT2Font

    missing = letters - set(FT2Font(font_manager.findfont("DejaVu Sans")).get_charmap())
    families: list[str] = []
    for entry in font_manager.fontManager.ttflist if missing else ():
        covered = missing & set(FT2Font(entry.fname).get_charmap())
        # The "last resort" font has a box for every letter.
        if covered and not entry.name.startswith("Last Resort"):
            families.append(entry.name)
            missing = missing - covered
    if missing:
        shown = "".join(map(chr, sorted(missing)[:5]))
        advice = "install a font that has them, e.g. fonts-noto-cjk"
        print(f"note: no installed font has {shown}: such letters are drawn as boxes; {advice}", file=sys.stderr)
    return tuple(families)


def label(text: object) -> str:
    """Text as matplotlib shows it and does not read it."""
    return escaping.mathtext(text)


def save(figure: Any, target: Path, **how: Any) -> Path:
    """Write a figure, at once, in the format of the file's name, and free it.

    Returns:
        `target`.
    """
    import matplotlib.pyplot as plt

    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # `pyplot` has said it once, with what to do
        figure.savefig(buffer, format=target.suffix.lstrip("."), **how)
    plt.close(figure)
    files.write_bytes(target, buffer.getvalue())
    return target
