"""README.md of an exported model: how to load it, what to feed it, what was checked."""

from __future__ import annotations

from typing import Any

from finegrained_crl import escaping
from finegrained_crl.export.formats import FILES
from finegrained_crl.export.network import preprocessing
from finegrained_crl.export.parity import Parity
from finegrained_crl.export.timm_folder import needs_registration
from finegrained_crl.training.predictor import Predictor

LOAD = {
    "onnx": """import onnxruntime

session = onnxruntime.InferenceSession("model.onnx")
(scores,) = session.run(None, {"pixels": pixels})  # float32 (batch, 3, height, width), RGB, 0 to 255""",
    "torchscript": """import torch

model = torch.jit.load("model.pt")
scores = model(pixels)  # float32 (batch, 3, height, width), RGB, 0 to 255""",
    "torch-export": """import torch

model = torch.export.load("model.pt2").module()
scores = model(pixels)  # float32 (batch, 3, height, width), RGB, 0 to 255""",
    "timm": """import timm
from timm.data import create_transform, resolve_model_data_config

model = timm.create_model("local-dir:FOLDER", pretrained=True).eval()
transform = create_transform(**resolve_model_data_config(model))
scores = model(transform(image).unsqueeze(0))""",
}
REGISTER = """from finegrained_crl.networks import register_networks

register_networks()  # the network is finegrained-crl's
"""


def export_card(predictor: Predictor, kind: str, checks: dict[str, Parity], notes: list[str]) -> str:
    """The card as Markdown.

    Args:
        predictor: the run.
        kind: format.
        checks: what was exported ("float32", "int8") -> how it compares with the run.
        notes: further lines on what was done.
    """
    recipe = predictor.recipe
    title = f"{recipe.backbone}, {recipe.method.name}, loss {recipe.loss.name}, as {kind}"
    code = (REGISTER if kind == "timm" and needs_registration(predictor) else "") + LOAD[kind]
    compared = [*(f"- {what}: {parity.text()}" for what, parity in checks.items()), *(f"- {note}" for note in notes)]
    steps = _steps(preprocessing(predictor), kind)
    parts = [
        *(f"# {escaping.markdown(title)}", f"{_file(kind)}. model_card.md says what the run reached.", "## Load"),
        *(f"```python\n{code}\n```", "## Before the network", "\n".join(steps)),
        *("## Compared with the run", "\n".join(compared)),
    ]
    return "\n\n".join(parts) + "\n"


def _file(kind: str) -> str:
    return f"`{FILES[kind]}`" if kind in FILES else "`config.json` and `model.safetensors`"


def _steps(facts: dict[str, Any], kind: str) -> list[str]:
    resize, crop = facts["resize"], facts["crop"]
    side = "both sides" if resize["side"] == "both" else "the short side"
    normalised = "timm's transform normalises" if kind == "timm" else "normalisation is inside the network"
    faces = facts.get("faces")
    cut = "as by `fgcrl data prepare faces`, upright, the longer side of the box and on each side"
    return [
        *([f"- faces are cut out {cut} {faces['margin']:g} of it"] if faces else []),
        f"- resize {side} to {resize['to']} pixels (areas averaged), crop {crop['size']} pixels from the centre",
        f"- RGB, values from {facts['range'][0]} to {facts['range'][1]}; {normalised}",
        f"- the run's views: {facts['views']} (scores averaged); its decoder: {facts['decoder']}",
        f"- {len(facts['class_names'])} classes, their names in `preprocessing.json` in the order of the scores",
    ]
