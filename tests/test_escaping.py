"""Names from outside are harmless wherever they are shown."""

import csv
import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finegrained_crl import escaping
from finegrained_crl.cli.show import print_table
from finegrained_crl.reports.tables import Sheet, latex, markdown

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</style>",
    "=cmd|' /C calc'!A0",
    "+1+1",
    "@SUM(A1)",
    "a|b",
    "line\nbreak",
    "\x1b[31mred\x1b[0m",
    r"\input{/etc/passwd}",
    "$x^2$ 5 % #1 & _ { } ~",
    "[link](javascript:alert(1))",
    "\u202eright to left",
    "مرحبا",
    "🦜",
    "x" * 300,
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_markdown_row_stays_a_row(name):
    text = markdown(Sheet("s", "", [name, "b"], [[name, "1"], ["c", name]], bold=frozenset({(1, 1)})))
    lines = text.splitlines()
    assert len(lines) == 4
    assert all(len(re.findall(r"(?<!\\)\|", line)) == 3 for line in lines)
    assert not re.search(r"(?<!\\)<", text)
    assert "](" not in text
    assert "\x1b" not in text


@pytest.mark.parametrize("name", HOSTILE)
def test_latex_reads_no_command_of_a_name(name):
    line = latex(Sheet("s", name, ["x"], [[name]])).splitlines()[-4]
    assert line.endswith(r" \\")
    bare = re.sub(
        r"\\(textbackslash|textasciitilde|textasciicircum|textless|textgreater|textbar|textquotedbl)\{\}", "", line
    )
    bare = re.sub(r"\\[&%_#${}]|\$-\$|\\\\", "", bare)
    assert not set(bare) & set("\\&%#${}_^~")


@pytest.mark.parametrize("name", HOSTILE)
def test_a_spreadsheet_gets_text(name):
    out = io.StringIO()
    csv.writer(out).writerow([escaping.csv_cell(name), escaping.csv_cell(-0.5)])
    (row,) = csv.reader(io.StringIO(out.getvalue()))
    assert len(row) == 2
    assert row[0][0] not in "=+-@\t\r"
    assert row[1] == "-0.5"


@pytest.mark.parametrize("name", HOSTILE)
def test_a_terminal_gets_no_command(name, capsys):
    print_table(name, [name], [[name]])
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert "\u202e" not in shown


def test_minus_signs_of_figures_are_minus_signs():
    assert escaping.latex("[-5.59, +0.95] CE-CRL a-1") == "[$-$5.59, +0.95] CE-CRL a-1"


@given(st.text(), st.text())
def test_file_names_are_safe_and_differ_where_texts_do(one, other):
    first, second = escaping.file_name(one), escaping.file_name(other)
    assert re.fullmatch(r"[A-Za-z0-9.=+_-]*", first)
    assert not first.startswith(".")
    assert len(first) <= 90
    if one.replace(" ", "_") != other.replace(" ", "_"):
        assert first != second


@given(st.text())
def test_a_plain_line_is_one_printable_line(text):
    shown = escaping.plain(text)
    assert len(shown.splitlines()) <= 1
    assert shown.isprintable() or all(ord(letter) > 127 for letter in shown if not letter.isprintable())
