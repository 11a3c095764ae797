"""Reports without figures, for tests that read their tables and text: drawing is nine tenths of a report's time."""

import contextlib

import pytest

from finegrained_crl.reports import drawing
from finegrained_crl.reports.page import context


@contextlib.contextmanager
def _undrawn():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(context, "_charts", lambda *everything: {})
        patch.setattr(context, "agreement_charts", lambda *everything: ())
        patch.setattr(drawing, "save", lambda figure, target, **_how: target)
        yield


@pytest.fixture(scope="module")
def no_charts_here():
    """In all tests of a file from the first one on that asks for it."""
    with _undrawn():
        yield


@pytest.fixture
def no_charts():
    """In one test."""
    with _undrawn():
        yield
