"""Reports without figures, for tests that read their tables and text: drawing is nine tenths of a report's time."""

import pytest

from finegrained_crl.reports import drawing
from finegrained_crl.reports.page import context


@pytest.fixture(scope="module")
def no_charts_here():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(context, "_charts", lambda *everything: {})
        patch.setattr(drawing, "save", lambda figure, target, **_how: target)
        yield
