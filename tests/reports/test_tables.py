"""One table as Markdown and LaTeX."""

import shutil
import subprocess

import pytest

from finegrained_crl.reports.tables import Sheet, latex, markdown

SHEET = Sheet(
    "a b",
    "Two | runs",
    ["loss_x", "top-1 %", "n|m"],
    [["a|b", "1", "2"], ["c_d", "3", "4"]],
    "Of 5 %.",
    frozenset([(0, 2)]),
)


def test_markdown():
    assert markdown(SHEET).splitlines() == [
        r"| loss\_x | top-1 % | n\|m |",
        "|---|---:|---:|",
        r"| a\|b | 1 | **2** |",
        r"| c\_d | 3 | 4 |",
    ]


def test_latex():
    text = latex(SHEET, "Faces, fold 1")
    assert r"\begin{tabular}{lrr}" in text
    assert r"\caption{Two | runs. Faces, fold 1. Of 5 \%.}" in text or r"\caption{Two \textbar{} runs" in text
    assert r" & 1 & \textbf{2} \\" in text
    assert r"c\_d & 3 & 4 \\" in text
    assert text.count(r"\textbf") == 1
    assert r"loss\_x & top-1 \% & " in text


HOSTILE = r"""<b> & $x_1$ | 50 % ~ ^ \ # { } "quoted" \input{x}"""


@pytest.mark.parametrize(("name", "is_told"), [(HOSTILE, False), ("Amélie", False), ("ه طائر", True), ("鳥", True)])
def test_latex_says_which_names_pdflatex_has_no_letters_for(name, is_told):
    text = latex(Sheet("s", "Title", ["variant", "exact %"], [[name, "50.1"]]))
    assert text.startswith("% names in other scripts") == is_told


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="no TeX here")
def test_hostile_names_compile(tmp_path):
    table = latex(Sheet("s", HOSTILE, ["variant", HOSTILE], [[HOSTILE, "50.1"], ["a\nb", "="]], text=HOSTILE), HOSTILE)
    head = r"\documentclass{article}\usepackage[T1]{fontenc}\usepackage{booktabs}\usepackage{textcomp}\begin{document}"
    (tmp_path / "all.tex").write_text(head + table + r"\end{document}")
    words = ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "all.tex"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-800:]
