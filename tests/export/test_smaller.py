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


def _quantised_inputs(path, kind):
    """Whether the nodes of a kind take values that were rounded to 8 bits."""
    graph = onnx.load(path).graph
    rounded = {name for node in graph.node if node.op_type == "DequantizeLinear" for name in node.output}
    return [bool(rounded & set(node.input)) for node in graph.node if node.op_type == kind]


@pytest.mark.parametrize(("conv", "head", "rounded"), [
    ("model.backbone.net.conv", "model.part", [False]),
    ("model.second.net.conv", "losses.0.weight", [False]),
    ("model.net.conv", "model.net.fc", [True]),
    ("model.conv", "model.fc", [True]),
])  # fmt: skip
def test_int8_leaves_alone_what_a_method_adds_to_its_backbone(tmp_path, conv, head, rounded):
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    random = np.random.default_rng(0)
    filters = random.normal(0, 0.01, (4, 3, 3, 3)).astype(np.float32)
    last = random.normal(0, 0.1, (4, 5)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["pixels", conv], ["maps"]),
        helper.make_node("ReduceMean", ["maps", "axes"], ["pooled"], keepdims=0),
        helper.make_node("MatMul", ["pooled", head], ["scores"], name="head"),
    ]
    kept = [(filters, conv), (np.int64([2, 3]), "axes"), (last, head)]
    given = helper.make_tensor_value_info("pixels", onnx.TensorProto.FLOAT, ["batch", 3, 8, 8])
    scores = helper.make_tensor_value_info("scores", onnx.TensorProto.FLOAT, ["batch", 5])
    graph = helper.make_graph(nodes, "net", [given], [scores], [numpy_helper.from_array(*pair) for pair in kept])
    path = tmp_path / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)
    to_int8(path, PIXELS)
    assert _quantised_inputs(path, "Conv") == [True]
    assert _quantised_inputs(path, "MatMul") == rounded
