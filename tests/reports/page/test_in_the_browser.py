"""The page in a real browser, under its own policy."""

import numpy as np
import pytest
from browser import browsing
from made_study import write_study

from finegrained_crl.cli.main import main


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = write_study(tmp_path_factory.mktemp("browser") / "s", {"ce": 1.0, "crl": 1.6, "focal": 1.1})
    assert main(["report", str(folder)]) == 0
    return folder / "report.html"


@pytest.fixture(scope="module")
def opened():
    with browsing() as open_page:
        yield open_page


def test_asks_for_nothing_says_nothing_and_breaks_no_rule_of_access(report, opened):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    with opened(report) as page:
        assert page.requests == [report.resolve().as_uri()]
        assert page.said == []
        found = axe.Axe().run(page)
        assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_themes(report, opened, scheme):
    with opened(report, color_scheme=scheme) as page:
        ink, paper = (page.evaluate(f"getComputedStyle(document.body).{name}") for name in ("color", "backgroundColor"))
        brightness = [np.mean([int(n) for n in colour[4:-1].split(",")]) for colour in (ink, paper)]
        assert (brightness[0] < brightness[1]) == (scheme == "light")
        page.click("#theme")
        assert page.evaluate("getComputedStyle(document.body).color") != ink


def test_a_phone_scrolls_one_way(report, opened):
    with opened(report, viewport={"width": 375, "height": 700}) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= 375


def test_sorts_filters_and_unfolds_by_keyboard(report, opened):
    with opened(report) as page:
        rows = "[...document.querySelectorAll('#sortable tbody tr')]"
        names = f"{rows}.filter(r => !r.hidden).map(r => r.cells[0].textContent)"
        values = "[...document.querySelectorAll('#sortable tbody td[data-value]')].map(c => +c.dataset.value)"
        page.focus("#sortable th:nth-child(2) button")
        page.keyboard.press("Enter")
        assert page.evaluate(values) == sorted(page.evaluate(values))
        page.keyboard.press("Enter")
        assert page.evaluate(values) == sorted(page.evaluate(values), reverse=True)
        assert page.get_attribute("#sortable th:nth-child(2)", "aria-sort") == "descending"
        page.fill("#filter", "crl")
        assert page.evaluate(names) == ["CRL"]
        assert page.inner_text("#count") == "1 of 3"
        page.click("#unfold")
        assert page.evaluate("[...document.querySelectorAll('details')].every(d => d.open)")


def test_is_read_without_its_script(report, opened):
    with opened(report, java_script_enabled=False) as page:
        assert page.is_visible("#sortable")
        assert not page.is_visible("#theme")
        assert "CRL" in page.inner_text("#variants")


def test_prints(report, opened, tmp_path):
    with opened(report) as page:
        page.pdf(path=tmp_path / "page.pdf")
        assert (tmp_path / "page.pdf").read_bytes()[:5] == b"%PDF-"


def test_the_tab_key_visits_everything_in_the_order_of_the_page(report, opened):
    kinds = "a[href], button, input, select, summary, [tabindex='0']"
    is_shown = "e.offsetParent && (e.tagName === 'SUMMARY' || !e.closest('details:not([open])'))"
    reachable = f'[...document.querySelectorAll("{kinds}")].filter(e => {is_shown})'
    with opened(report) as page:
        count, visited = page.evaluate(f"{reachable}.length"), []
        for _ in range(count):
            page.keyboard.press("Tab")
            visited.append(page.evaluate(f"{reachable}.indexOf(document.activeElement)"))
        assert visited == list(range(count))
        assert count > 10
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
