"""Debian's chromium, driven by playwright; tests that need it are skipped with a reason where it is not."""

import shutil
from contextlib import contextmanager

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@contextmanager
def browsing():
    """A browser, which takes a second to start; a function that opens a page in a new profile of it."""
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine: apt-get install chromium")
    sync_api = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    with sync_api.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield lambda path, **settings: opened(browser, path, **settings)
        browser.close()


@contextmanager
def opened(browser, path, **settings):
    """A page from disk, what it asked for and what it said."""
    profile = browser.new_context(**settings)
    page = profile.new_page()
    page.requests, page.said = [], []
    page.on("request", lambda request: page.requests.append(request.url))
    page.on("console", lambda message: page.said.append(message.text))
    page.on("pageerror", lambda error: page.said.append(str(error)))
    page.goto(path.resolve().as_uri())
    yield page
    profile.close()
