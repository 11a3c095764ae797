"""Half precision and int8 of a network of one layer: what a program needs to know stays, and nothing else is left."""

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from finegrained_crl.export.formats import read_onnx  # noqa: E402
from finegrained_crl.export.smaller import to_half, to_int8  # noqa: E402


@pytest.fixture
def model(tmp_path):
    """Three filters of 3 x 3 and a mean over the picture, with a line of metadata."""
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    weights = np.random.default_rng(0).normal(0, 0.01, (3, 3, 3, 3)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["pixels", "weights"], ["maps"]),
        helper.make_node("ReduceMean", ["maps", "axes"], ["scores"], keepdims=0),
    ]
    kept = [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(np.int64([2, 3]), "axes")]
    given = helper.make_tensor_value_info("pixels", onnx.TensorProto.FLOAT, ["batch", 3, 8, 8])
    made = helper.make_tensor_value_info("scores", onnx.TensorProto.FLOAT, ["batch", 3])
    graph = helper.make_graph(nodes, "net", [given], [made], kept)
    whole = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    whole.metadata_props.add(key="class_names", value='["a", "b", "c"]')
    onnx.save(whole, tmp_path / "model.onnx")
    return tmp_path / "model.onnx"


PIXELS = np.random.default_rng(1).integers(0, 256, (40, 3, 8, 8)).astype(np.float32)


@pytest.mark.parametrize(("make", "off"), [(to_half, 0.01), (lambda path: to_int8(path, PIXELS), 0.2)])
def test_a_smaller_model_says_nearly_the_same(model, make, off):
    before = read_onnx(model)(PIXELS)
    make(model)
    after = read_onnx(model)(PIXELS)
    assert after.dtype == np.float32
    assert 0 < np.abs(after - before).max() < off
    metadata = {entry.key: entry.value for entry in onnx.load(model).metadata_props}
    assert metadata == {"class_names": '["a", "b", "c"]'}
    assert [path.name for path in model.parent.iterdir()] == ["model.onnx"]
