"""Smaller ONNX models: half precision, and int8 calibrated on training pictures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from finegrained_crl.export.formats import quiet, require
from finegrained_crl.export.parity import BATCH

_BACKBONE = ".net."
"""Part of the names of a backbone's weights (`training.backbone.Backbone`, `training.timm_classifier`)."""


def to_half(path: Path) -> None:
    """Turn weights and arithmetic of an ONNX file into float16; input and output stay float32."""
    onnx = require("onnx")
    require("onnxruntime")
    from onnxruntime.transformers.float16 import convert_float_to_float16

    with quiet():
        onnx.save(convert_float_to_float16(onnx.load(path), keep_io_types=True), path)


def to_int8(path: Path, pixels: np.ndarray) -> None:
    """Quantise an ONNX file statically: int8 weights per channel, uint8 activations in the ranges that these pictures
    show. What a method or a loss adds to its backbone stays float32: it costs little, and DFL-CNN's filter bank, which
    looks for the place of its largest response, finds other places among 256 steps.

    Args:
        path: the file, replaced.
        pixels: float32, (n, 3, height, width), of training pictures.
    """
    onnx = require("onnx")
    require("onnxruntime")
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    prepared, quantised = path.with_suffix(".prepared.onnx"), path.with_suffix(".int8.onnx")
    original = onnx.load(path)
    metadata = {entry.key: entry.value for entry in original.metadata_props}
    added = _added_values(original.graph)
    with quiet():
        quant_pre_process(str(path), str(prepared), skip_symbolic_shape=True)
        quantize_static(
            str(prepared),
            str(quantised),
            _reader(pixels),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            weight_type=QuantType.QInt8,
            activation_type=QuantType.QUInt8,
            nodes_to_exclude=[node.name for node in onnx.load(prepared).graph.node if added & set(node.output)],
        )
    model = onnx.load(quantised)
    del model.metadata_props[:]
    for key, value in metadata.items():
        model.metadata_props.add(key=key, value=value)
    onnx.save(model, path)
    prepared.unlink()
    quantised.unlink()


def _added_values(graph: Any) -> set[str]:
    """Names of the values that depend on weights outside the backbone, which is called `net` wherever a model has one;
    none where no weight is inside: such a model is quantised whole.
    """
    weights = {weight.name for weight in graph.initializer if weight.name.startswith(("model.", "losses."))}
    added = {name for name in weights if _BACKBONE not in name}
    if added == weights:
        return set()
    for node in graph.node:  # in the order of computation
        if added & set(node.input):
            added |= set(node.output)
    return added


def _reader(pixels: np.ndarray) -> Any:
    from onnxruntime.quantization import CalibrationDataReader

    class Batches(CalibrationDataReader):  # type: ignore[misc]
        """What onnxruntime asks for its next pictures."""

        def __init__(self) -> None:
            self._batches: Iterator[np.ndarray] = (pixels[i : i + BATCH] for i in range(0, len(pixels), BATCH))

        def get_next(self) -> dict[str, np.ndarray] | None:
            """The next batch, None behind the last."""
            batch = next(self._batches, None)
            return None if batch is None else {"pixels": batch}

    return Batches()
