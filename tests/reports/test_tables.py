"""One table as Markdown and LaTeX."""

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
