"""A run's weights as a folder that timm loads by name: `timm.create_model("local-dir:FOLDER", pretrained=True)`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from finegrained_crl import files
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.export.formats import Scores, quiet
from finegrained_crl.networks import NETWORKS
from finegrained_crl.training.predictor import Predictor
from finegrained_crl.training.timm_classifier import TimmClassifier


def is_plain_timm(predictor: Predictor) -> bool:
    """Whether the run's scores are a timm model's own logits."""
    model, criteria = predictor.trainee.model, predictor.trainee.criteria.by_role
    owns = any(getattr(criterion, "needs", "logits") == "classifier" for criterion in criteria.values())
    return isinstance(model, TimmClassifier) and not owns


def write_timm(predictor: Predictor, folder: Path) -> None:
    """Write config.json and model.safetensors.

    Raises:
        FinegrainedError: the run's model is more than a timm classifier.
    """
    if not is_plain_timm(predictor):
        raise FinegrainedError(
            f"--format timm is for runs whose scores are a timm model's logits; method {predictor.recipe.method.name}"
            f" with loss {predictor.recipe.loss.name} computes more than that: take --format onnx, torchscript or"
            " torch-export"
        )
    from timm.models import save_for_hf

    net: Any = predictor.trainee.model.exported()
    config = {"pretrained_cfg": _pretrained_cfg(predictor), "label_names": predictor.class_names}
    with quiet():
        save_for_hf(
            net.to(memory_format=torch.contiguous_format), str(folder), model_config=config, safe_serialization=True
        )
    weights = folder / "model.safetensors"
    files.write_bytes(weights, weights.read_bytes())  # readable by others too, as the library does not leave it


def _pretrained_cfg(predictor: Predictor) -> dict[str, Any]:
    """timm's words for the run's evaluation; of its ways to resize, "box" is the one that averages areas."""
    recipe, model = predictor.recipe, predictor.trainee.model
    side = predictor.transform.settings.side_before_crop(recipe.eval_resize_ratio)
    return {
        "input_size": (3, recipe.image_size, recipe.image_size),
        "crop_pct": recipe.image_size / side,
        "crop_mode": "squash" if recipe.resize == "squash" else "center",
        "interpolation": "box",
        "mean": model.mean,
        "std": model.std,
    }


def read_timm(folder: Path) -> Scores:
    """The scores of timm's own model, normalised by its own config."""
    import timm
    from timm.data import resolve_model_data_config

    with quiet():
        net = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    config = resolve_model_data_config(net)
    mean, std = (255 * np.array(config[name], np.float32).reshape(1, 3, 1, 1) for name in ("mean", "std"))

    def scores(pixels: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return np.asarray(net(torch.from_numpy((pixels - mean) / std)))

    return scores


def needs_registration(predictor: Predictor) -> bool:
    """Whether the network is this package's, which timm must be told of first."""
    return predictor.recipe.backbone.partition(".")[0] in NETWORKS
