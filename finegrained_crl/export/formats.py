"""One writer and one reader per format: a file that another program loads, and its scores."""

from __future__ import annotations

import contextlib
import json
import logging
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from finegrained_crl import files
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.export.network import example_pixels, preprocessing, scoring_network
from finegrained_crl.training.predictor import Predictor

Format = Literal["onnx", "torchscript", "torch-export", "timm"]
FILES: dict[str, str] = {"onnx": "model.onnx", "torchscript": "model.pt", "torch-export": "model.pt2"}
OPSET = 18
"""The first that torch's exporter writes without converting."""
LARGEST_ONNX = 1_900_000_000
"""Bytes of weights that fit into one ONNX file, whose limit is 2 GiB."""
Scores = Callable[[np.ndarray], np.ndarray]


def write_onnx(predictor: Predictor, folder: Path, opset: int = OPSET) -> None:
    """Write model.onnx with a dynamic batch, preprocessing and class names in its metadata.

    Raises:
        FinegrainedError: a package is missing, or the model can't be written with that opset.
    """
    onnx = require("onnx")
    require("onnxscript")
    network, pixels = scoring_network(predictor), example_pixels(predictor)
    weight = sum(p.numel() * p.element_size() for p in network.parameters())
    path = folder / FILES["onnx"]
    with quiet(), torch.no_grad(), _one_line(f"--format onnx --opset {opset}"):
        torch.onnx.export(
            network,
            (pixels,),
            path,
            input_names=["pixels"],
            output_names=["scores"],
            opset_version=opset,
            dynamic_shapes={"pixels": {0: torch.export.Dim("batch")}},
            dynamo=True,
            external_data=weight > LARGEST_ONNX,
            verbose=False,
        )
    model = onnx.load(path, load_external_data=False)
    if model.opset_import[0].version != opset:
        raise FinegrainedError(
            f"--opset {opset}: this model can only be written with opset {model.opset_import[0].version}; leave --opset"
            " out, or take a newer one"
        )
    for key, value in preprocessing(predictor).items():
        model.metadata_props.add(key=key, value=json.dumps(value))
    files.write_bytes(path, model.SerializeToString())


def read_onnx(path: Path) -> Scores:
    """The scores that onnxruntime computes on the CPU."""
    session = onnx_session(path)
    return lambda pixels: np.asarray(session.run(None, {"pixels": pixels})[0])


def onnx_session(path: Path, threads: int = 0) -> Any:
    """onnxruntime's session on the CPU; 0 threads: its own choice."""
    ort = require("onnxruntime")
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def write_torchscript(predictor: Predictor, folder: Path) -> None:
    """Write model.pt, traced and frozen: it loads without this package."""
    with quiet(), torch.no_grad(), _one_line("--format torchscript"):
        traced: Any = torch.jit.trace(scoring_network(predictor), (example_pixels(predictor),))
        extra = {"preprocessing.json": json.dumps(preprocessing(predictor))}
        # Frozen: a role called "class" is no name in TorchScript's language.
        torch.jit.save(torch.jit.freeze(traced), str(folder / FILES["torchscript"]), _extra_files=extra)


def read_torchscript(path: Path) -> Scores:
    """The scores of the traced model."""
    with quiet():
        model: Any = torch.jit.load(str(path))
    return lambda pixels: _run(model, pixels)


def write_torch_export(predictor: Predictor, folder: Path) -> None:
    """Write model.pt2, a program of `torch.export` with a dynamic batch."""
    with quiet(), torch.no_grad(), _one_line("--format torch-export"):
        shapes = {"pixels": {0: torch.export.Dim("batch")}}
        program = torch.export.export(scoring_network(predictor), (example_pixels(predictor),), dynamic_shapes=shapes)
        extra = {"preprocessing.json": json.dumps(preprocessing(predictor))}
        torch.export.save(program, folder / FILES["torch-export"], extra_files=extra)


def read_torch_export(path: Path) -> Scores:
    """The scores of the program."""
    with quiet():
        model = torch.export.load(path).module()
    return lambda pixels: _run(model, pixels)


def _run(model: Any, pixels: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return np.asarray(model(torch.from_numpy(pixels)))


def require(package: str) -> Any:
    """A package of the extra `[export]`.

    Raises:
        FinegrainedError: it is not installed.
    """
    import importlib

    try:
        return importlib.import_module(package)
    except ImportError:
        raise FinegrainedError(
            f"this export needs the package {package}: pip install 'finegrained-crl[export]'"
        ) from None


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Exporters talk about themselves at length: their warnings and log lines are switched off."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


@contextlib.contextmanager
def _one_line(what: str) -> Iterator[None]:
    try:
        yield
    except FinegrainedError:
        raise
    except Exception as error:  # exporters raise whatever their passes raise
        cause = error.__cause__ or error
        text = (str(cause).strip() or type(cause).__name__).splitlines()[0]
        raise FinegrainedError(f"{what}: the model can't be exported ({text[:200]}); try another --format") from error
