"""A run exported into a folder that appears when everything in it is checked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from finegrained_crl import at_once, files
from finegrained_crl.data.regular import read_regular
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.export import formats
from finegrained_crl.export.card import export_card
from finegrained_crl.export.network import preprocessing
from finegrained_crl.export.parity import TOLERANCE, Parity, compare
from finegrained_crl.export.pictures import Sample, training_pictures
from finegrained_crl.export.smaller import to_half, to_int8
from finegrained_crl.export.timm_folder import read_timm, write_timm
from finegrained_crl.training.predictor import Predictor


@dataclass(frozen=True)
class ExportOptions:
    """How to export.

    Attributes:
        kind: "onnx", "torchscript", "torch-export" or "timm".
        opset: of ONNX.
        half: float16 arithmetic (ONNX).
        int8: int8 arithmetic (ONNX).
        calibration_pictures: training pictures that show int8 its ranges.
    """

    kind: formats.Format
    opset: int = formats.OPSET
    half: bool = False
    int8: bool = False
    calibration_pictures: int = 200


def export_run(predictor: Predictor, out: Path, options: ExportOptions, sample: Sample) -> dict[str, Parity]:
    """Write a folder with the model, preprocessing.json, the run's model card and a README with what was checked.

    Args:
        predictor: the run, on the CPU.
        out: the folder, not there yet.
        options: how.
        sample: pictures to compare on.
    Returns:
        "float32", "float16" or "int8" -> how it compares with the run.
    Raises:
        FinegrainedError: `out` is there, a package is missing, the model can't be written so, or the float32 model does
            not say what the run says.
    """
    _check(options)
    with at_once.new_folder(out) as folder:
        _write(predictor, folder, options)
        checks = {"float32": compare(predictor, _read(folder, options.kind), sample)}
        _require(checks["float32"])
        notes = _make_smaller(predictor, folder, options, sample, checks)
        files.write_json(folder / "preprocessing.json", preprocessing(predictor))
        files.write_bytes(folder / "model_card.md", read_regular(predictor.run.checked(predictor.run.model_card)))
        files.write_text(folder / "README.md", export_card(predictor, options.kind, checks, notes))
    return checks


def _check(options: ExportOptions) -> None:
    smaller = [flag for flag, is_asked in (("--half", options.half), ("--int8", options.int8)) if is_asked]
    if smaller and options.kind != "onnx":
        raise FinegrainedError(f"{smaller[0]} is for --format onnx, got --format {options.kind}")
    if len(smaller) > 1:
        raise FinegrainedError("--half and --int8 exclude each other; give one of them")


def _write(predictor: Predictor, folder: Path, options: ExportOptions) -> None:
    match options.kind:
        case "onnx":
            formats.require("onnxruntime")  # before minutes of exporting
            formats.write_onnx(predictor, folder, options.opset)
        case "torchscript":
            formats.write_torchscript(predictor, folder)
        case "torch-export":
            formats.write_torch_export(predictor, folder)
        case "timm":
            write_timm(predictor, folder)


def _read(folder: Path, kind: formats.Format) -> formats.Scores:
    if kind == "timm":
        return read_timm(folder)
    readers = {
        "onnx": formats.read_onnx,
        "torchscript": formats.read_torchscript,
        "torch-export": formats.read_torch_export,
    }
    return readers[kind](folder / formats.FILES[kind])


def _require(parity: Parity) -> None:
    if not parity.holds:
        raise FinegrainedError(
            f"the exported model does not say what the run says ({parity.text()}; at most {TOLERANCE:g} is rounding):"
            " nothing was written; try another --format or --opset"
        )


def _make_smaller(
    predictor: Predictor, folder: Path, options: ExportOptions, sample: Sample, checks: dict[str, Parity]
) -> list[str]:
    path = folder / formats.FILES["onnx"]
    if options.half:
        to_half(path)
        checks["float16"] = compare(predictor, formats.read_onnx(path), sample)
    if options.int8:
        calibration = training_pictures(predictor, options.calibration_pictures)
        to_int8(path, calibration.pixels)
        checks["int8"] = compare(predictor, formats.read_onnx(path), sample)
        return [f"int8 ranges from {len(calibration.labels)} training pictures"]
    return []
