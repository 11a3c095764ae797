"""Where a network's weights came from: timm's tag, the address, the file and its SHA-256, kept on the network."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from torch import nn

from finegrained_crl.data.regular import sha256_of

HUB_FILES = ("model.safetensors", "pytorch_model.bin")  # timm takes the first that the repository has


@dataclass(frozen=True)
class WeightsSource:
    """What was loaded into one backbone.

    Attributes:
        kind: "pretrained" (timm), "file" or "none" (random).
        backbone: timm's name with the tag of the training that was loaded, "resnet50.tv_in1k"; the bare name for a file
            or none.
        url: "hf-hub:timm/resnet50.tv_in1k" or an address; None for a file or none.
        file: name of the file that was read; None where it isn't known.
        sha256: of that file, in hexadecimal digits.
    """

    kind: Literal["pretrained", "file", "none"]
    backbone: str
    url: str | None = None
    file: str | None = None
    sha256: str | None = None

    def as_dict(self) -> dict[str, str | None]:
        """Plain values, for results.json."""
        return dataclasses.asdict(self)

    def __str__(self) -> str:
        if self.kind == "none":
            return "random weights"
        digest = f", SHA-256 {self.sha256[:12]}" if self.sha256 else ""
        return f"{self.kind} weights {self.url or self.file} of {self.backbone}{digest}"


def of_file(backbone: str, path: Path) -> WeightsSource:
    """The source of weights that were read from a file."""
    return WeightsSource("file", backbone, None, path.name, sha256_of(path))


def of_pretrained(net: Any, backbone: str) -> WeightsSource:
    """The source of weights that timm has just downloaded, or taken from its cache.

    Args:
        net: a timm model.
        backbone: the name that was asked for, with or without a tag.
    """
    config = net.pretrained_cfg
    tag = config.get("tag") or ""
    name = backbone.partition(".")[0] + (f".{tag}" if tag else "")
    hub, url = config.get("hf_hub_id"), config.get("url")
    path = _cached_from_hub(hub, config.get("hf_hub_filename")) if hub else _cached_from_url(url)
    if path is None and hub:
        path = _cached_from_url(url)
    address = f"hf-hub:{hub}" if hub else url
    return WeightsSource("pretrained", name, address, path.name if path else None, sha256_of(path) if path else None)


def weights_sources(model: nn.Module) -> list[dict[str, str | None]]:
    """The sources of every backbone in a model, in its order, as plain values: one for most methods, two for a B-CNN of
    two streams.
    """
    kept = [getattr(module, "weights_source", None) for module in model.modules()]
    return [source.as_dict() for source in kept if isinstance(source, WeightsSource)]


def _cached_from_hub(repository: str, filename: str | None) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    for name in (filename,) if filename else HUB_FILES:
        path = try_to_load_from_cache(repository, name)
        if isinstance(path, str):
            return Path(path)
    return None


def _cached_from_url(url: str | None) -> Path | None:
    import torch

    path = Path(torch.hub.get_dir(), "checkpoints", (url or "").rpartition("/")[2])
    return path if url and path.is_file() else None
