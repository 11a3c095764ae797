"""Backbones from timm, with weights from the hub or from a file that must fit."""

from __future__ import annotations

import os
import pickle
import socket
import urllib.parse
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from finegrained_crl.errors import FinegrainedError, guess
from finegrained_crl.networks import NETWORKS, register_networks
from finegrained_crl.training.input_size import adapted_state, check_size, misfit, size_options
from finegrained_crl.training.method import ModelSpec
from finegrained_crl.training.weights_source import WeightsSource, of_file, of_pretrained


def timm_classifier(spec: ModelSpec) -> tuple[nn.Module, list[str]]:
    """A timm model with a new head of `spec.num_classes` outputs.

    Returns:
        the model, and notes for the user on what was loaded and dropped.
    Raises:
        FinegrainedError: unknown backbone; weights that can't be had, are unsafe, or belong to another architecture.
    """
    import timm

    register_networks()
    if not timm.is_model(spec.backbone.partition(".")[0]):
        hint = "; ".join(filter(None, (guess(spec.backbone, timm.list_models()), "`timm.list_models()` lists all")))
        raise FinegrainedError(f"timm has no model '{spec.backbone}'; {hint}")
    options: dict[str, Any] = {"num_classes": spec.num_classes, "drop_rate": spec.drop_rate}
    if spec.drop_path_rate:
        options["drop_path_rate"] = spec.drop_path_rate
    sized = size_options(spec.backbone, spec.image_size)
    model, source, notes = _with_weights(spec, {**options, **sized})
    if sized:
        check_size(model, spec.backbone, spec.image_size)
    model.weights_source = source  # type: ignore[assignment]  # kept on the network; weights_source.weights_sources collects it
    return model, [str(source), *notes]


def _with_weights(spec: ModelSpec, options: dict[str, Any]) -> tuple[nn.Module, WeightsSource, list[str]]:
    """The model, where its weights came from, and notes."""
    if spec.weights == "pretrained":
        _refuse_untrained(spec.backbone)
        model = _from_hub(spec, options)
        return model, of_pretrained(model, spec.backbone), ["head new"]
    model = _create(spec, options)
    if spec.weights == "none":
        return model, WeightsSource("none", spec.backbone), []
    notes = load_weights(model, Path(spec.weights))
    return model, of_file(spec.backbone, Path(spec.weights)), notes


def load_weights(model: nn.Module, path: Path) -> list[str]:
    """Load a weights file into a timm model; everything but the head must fit exactly.

    Args:
        model: a timm classifier; `model.get_classifier()` is its head.
        path: .safetensors, .pth or .pt; a state dict, bare or wrapped ("state_dict", "model", "module." prefixes ..).
    Returns:
        notes: how many tensors were loaded and which head was dropped.
    Raises:
        FinegrainedError: no such file, unreadable or unsafe file, or tensors that are missing, extra or of another
            shape.
    """
    state = read_weights(path)
    ours = model.state_dict()
    head = _head_prefixes(model)
    dropped = [k for k in state if k.startswith(head)]
    state = {k: v for k, v in state.items() if k not in dropped}
    wanted = {k: v for k, v in ours.items() if not k.startswith(head)}
    if not _fits(state, wanted):
        state = {k: v for k, v in adapted_state(model, state).items() if not k.startswith(head)}
    _refuse_misfit(path, type(model).__name__, state, wanted)
    model.load_state_dict(state, strict=False)
    return [f"{len(state)} tensors from {path.name}", f"old head dropped ({', '.join(dropped) or 'the file has none'})"]


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a weights file, wrapping removed; code in a pickle is never run.

    Raises:
        FinegrainedError: no such file, damaged, or holding more than tensors and plain values.
    """
    from timm.models import load_state_dict

    if not path.is_file():
        raise FinegrainedError(f"no weights file {path.absolute()}: check --weights, or use 'pretrained' or 'none'")
    try:
        state = load_state_dict(str(path), device="cpu", weights_only=True)
    except Exception as error:  # safetensors, zipfile, torch and timm each raise their own kind
        if isinstance(error, pickle.UnpicklingError) or isinstance(error.__cause__, pickle.UnpicklingError):
            text = (
                "refused: the pickle holds more than tensors and could run code; save a plain state dict or"
                " .safetensors"
            )
            raise FinegrainedError(f"weights {path} {text}") from None
        raise FinegrainedError(f"weights {path} can't be read: {_line(error)}") from error
    tensors = {k: v for k, v in state.items() if isinstance(v, torch.Tensor)}
    if not tensors:
        raise FinegrainedError(
            f"weights {path} hold no tensors; expected a state dict (bare, or under 'state_dict' or 'model')"
        )
    return tensors


def _create(spec: ModelSpec, options: dict[str, Any]) -> nn.Module:
    import timm

    try:
        model: nn.Module = timm.create_model(spec.backbone, pretrained=False, **options)
    except (RuntimeError, TypeError, AssertionError, ValueError) as error:
        if "img_size" in options and not isinstance(error, TypeError):
            raise misfit(spec.backbone, spec.image_size, _line(error)) from error
        raise FinegrainedError(f"timm can't build '{spec.backbone}' with {options}: {_line(error)}") from error
    return model


def _refuse_untrained(backbone: str) -> None:
    if backbone.partition(".")[0] in NETWORKS:
        raise FinegrainedError(f"nobody published weights of '{backbone}': give --weights none, or a --weights FILE")


def _from_hub(spec: ModelSpec, options: dict[str, Any]) -> nn.Module:
    import timm
    from huggingface_hub import constants

    if not _hub_answers():
        constants.HF_HUB_OFFLINE = (
            True  # use what is in the cache, or say so at once instead of after a minute of retries
        )
    try:
        model: nn.Module = timm.create_model(spec.backbone, pretrained=True, **options)
    except Exception as error:  # the hub client's errors have no common base
        if "img_size" in options and (isinstance(error, AssertionError) or "size mismatch" in str(error)):
            raise misfit(spec.backbone, spec.image_size, _line(error)) from error
        raise FinegrainedError(
            f"can't get pretrained weights of '{spec.backbone}' ({_line(error)}); without a network give --weights FILE"
            " or --weights none"
        ) from error
    return model


def _hub_answers() -> bool:
    """Whether the hub's name can be looked up (a proxy does that by itself)."""
    host = urllib.parse.urlparse(os.environ.get("HF_ENDPOINT", "https://huggingface.co")).hostname
    if urllib.request.getproxies():
        return True
    try:
        socket.getaddrinfo(host, 443)
    except OSError:
        return False
    return True


def _head_prefixes(model: nn.Module) -> tuple[str, ...]:
    head = model.get_classifier()  # type: ignore[operator]
    heads = head if isinstance(head, tuple | list) else [head]
    return tuple(f"{name}." for name, module in model.named_modules() if any(module is h for h in heads))


def _fits(state: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor]) -> bool:
    return state.keys() == wanted.keys() and all(state[k].shape == wanted[k].shape for k in wanted)


def _refuse_misfit(path: Path, model: str, state: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor]) -> None:
    shared = state.keys() & wanted.keys()
    reshaped = [
        f"{k} {tuple(state[k].shape)} for {tuple(wanted[k].shape)}"
        for k in sorted(shared)
        if state[k].shape != wanted[k].shape
    ]
    kinds = {
        "missing": sorted(wanted.keys() - shared),
        "unexpected": sorted(state.keys() - shared),
        "of another shape": reshaped,
    }
    text = "; ".join(f"{len(names)} {kind} ({_some(names)})" for kind, names in kinds.items() if names)
    if text:
        raise FinegrainedError(
            f"weights {path} don't fit {model}: {text}. Choose the --backbone that they were made for"
        )


def _some(names: Iterable[str], most: int = 4) -> str:
    listed = list(names)
    return ", ".join(listed[:most]) + (f", and {len(listed) - most} more" if len(listed) > most else "")


def _line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:200]}"
