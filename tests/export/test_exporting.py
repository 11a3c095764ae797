"""What was asked for reaches the exporters."""

import pytest

from finegrained_crl.errors import FinegrainedError
from finegrained_crl.export import exporting
from finegrained_crl.export.exporting import ExportOptions
from finegrained_crl.export.parity import Parity

EQUAL, OFF = Parity(1, 0.0, 1.0, None, None), Parity(1, 0.01, 1.0, None, None)


@pytest.fixture
def calls(monkeypatch):
    """Replaces what takes seconds; its calls."""
    seen = []

    def stub(name, answer=None):
        def called(*args):
            seen.append((name, *args))
            return answer

        return called

    monkeypatch.setattr(exporting.formats, "require", stub("require"))
    monkeypatch.setattr(exporting.formats, "write_onnx", stub("write"))
    monkeypatch.setattr(exporting.formats, "read_onnx", stub("read", "scores"))
    monkeypatch.setattr(exporting, "to_half", stub("half"))
    monkeypatch.setattr(exporting, "compare", stub("compare", EQUAL))
    return seen


def test_the_opset_that_is_asked_for(calls, tmp_path):
    exporting._write("run", tmp_path, ExportOptions("onnx", opset=21))
    assert calls == [("require", "onnxruntime"), ("write", "run", tmp_path, 21)]


@pytest.mark.parametrize(("half", "told"), [(True, ["float16"]), (False, [])])
def test_half_is_made_and_compared_where_it_is_asked_for(calls, tmp_path, half, told):
    checks = {}
    exporting._make_smaller("run", tmp_path, ExportOptions("onnx", half=half), "sample", checks)
    assert list(checks) == told
    assert [name for name, *_ in calls] == (["half", "read", "compare"] if half else [])


def test_a_difference_beyond_rounding_is_refused():
    exporting._require(EQUAL)
    with pytest.raises(FinegrainedError, match=r"does not say what the run says .*0\.01.* at most 0\.001"):
        exporting._require(OFF)
