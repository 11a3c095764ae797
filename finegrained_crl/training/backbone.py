"""A timm network as a giver of feature maps, whatever its family: (batch, channels, height, width)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from finegrained_crl.errors import FinegrainedError
from finegrained_crl.training.method import ModelSpec
from finegrained_crl.training.weights import timm_classifier


class Backbone(nn.Module):
    """A timm network without its head.

    What the maps don't need (the classifier, VGG's fully connected layers, stages after the last one used) is taken
    out, so that nothing idle is saved, optimised or waited for by distributed training.

    Args:
        spec: backbone, weights and input size.
        tap: also give the maps after the last stage of this stride (8, 16, 32); None: the final maps only.
        nearest: where the network has no such stride (a transformer has one for all stages), take the nearest that it
            has.
        stop_at_tap: end there; what comes after is taken out.
    Attributes:
        net: the timm network.
        maps: passes the final maps on; a place to hook into (Grad-CAM).
        channels: of the final maps (with `stop_at_tap`: of the tapped ones).
        tap_channels: of the tapped maps, 0 without a tap.
    Raises:
        FinegrainedError: an unknown backbone, unfit weights, a network without feature maps or without such a stride.
    """

    def __init__(
        self, spec: ModelSpec, *, tap: int | None = None, nearest: bool = False, stop_at_tap: bool = False
    ) -> None:
        super().__init__()
        from timm.data import resolve_model_data_config

        self.net: Any
        self.net, self.notes = timm_classifier(spec)
        self.maps = nn.Identity()
        config = resolve_model_data_config(self.net)
        self.mean, self.std = tuple(config["mean"]), tuple(config["std"])
        self._index = None if tap is None else _stage_of_stride(self.net, spec.backbone, tap, nearest)
        self._stops = stop_at_tap and tap is not None
        self._gives_maps = True
        self._probe(spec)

    def forward(self, images: Tensor) -> Tensor:
        """Final maps, (batch, channels, height, width), of normalised images (batch, 3, height, width)."""
        if self._stops:
            return self.with_tap(images)[0]
        if self._gives_maps:
            return torch.as_tensor(self.maps(self.net.forward_features(images)))
        return torch.as_tensor(
            self.maps(self.net.forward_intermediates(images, indices=1, norm=True, intermediates_only=True)[-1])
        )

    def with_tap(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Final and tapped maps, one forward pass."""
        if self._stops:
            tapped = self.net.forward_intermediates(
                images, indices=[self._index], intermediates_only=True, stop_early=True
            )[0]
            return self.maps(tapped), tapped
        if self._gives_maps:
            final, (tapped,) = self.net.forward_intermediates(images, indices=[self._index])
            return self.maps(final), tapped
        wanted = [self._index, len(_stages(self.net)) - 1]
        stages = self.net.forward_intermediates(images, indices=wanted, norm=True, intermediates_only=True)
        return self.maps(stages[-1]), stages[0]  # one and the same where the tap is the last stage

    def _probe(self, spec: ModelSpec) -> None:
        """Send one image through: learn the shapes, and take out what it does not pass."""
        was_training = self.training
        self.eval()
        image = torch.zeros(1, 3, spec.image_size, spec.image_size)
        try:
            self._gives_maps = self._stops or _is_maps(self.net.forward_features(image), self.net.num_features)
            passed = _Passed(self.net)
            final, tapped = self.with_tap(image) if self._index is not None else (self(image), None)
        except (RuntimeError, ValueError, TypeError, AttributeError, AssertionError) as error:
            raise FinegrainedError(
                f"--backbone {spec.backbone} gives no feature maps for {spec.image_size} px images"
                f" ({' '.join(str(error).split())[:160]}); choose another backbone or --image-size"
            ) from error
        passed.stop()
        self.channels = int(final.shape[1])
        self.tap_channels = int(tapped.shape[1]) if tapped is not None else 0
        torch.stack([out.sum() for out in (final, tapped) if out is not None]).sum().backward()
        _take_out_idle(self.net, passed.seen)
        self.net.zero_grad(set_to_none=True)
        self.train(was_training)


class _Passed:
    """Records which modules are called."""

    def __init__(self, net: nn.Module) -> None:
        self.seen: set[int] = set()
        self.hooks = [
            module.register_forward_hook(lambda module, *_: self.seen.add(id(module))) for module in net.modules()
        ]

    def stop(self) -> None:
        for hook in self.hooks:
            hook.remove()


def _take_out_idle(net: nn.Module, seen: set[int]) -> None:
    """Replace modules that were neither called nor reached by a gradient (some layers lend their weights without being
    called).
    """
    for name, child in list(net.named_children()):
        is_called = any(id(module) in seen for module in child.modules())
        idle = not is_called and all(p.grad is None for p in child.parameters())
        if not idle:
            _take_out_idle(child, seen)
        elif any(True for _ in child.parameters()):
            setattr(net, name, nn.Identity())


def _is_maps(out: Any, channels: int) -> bool:
    return isinstance(out, Tensor) and out.ndim == 4 and out.shape[1] == channels


def _stages(net: Any) -> list[dict[str, Any]]:
    info = net.feature_info
    return list(info if isinstance(info, list) else info.info)


def _stage_of_stride(net: Any, backbone: str, stride: int, nearest: bool) -> int:
    strides = [stage["reduction"] for stage in _stages(net)] if hasattr(net, "feature_info") else []
    if nearest and strides:
        stride = min(strides, key=lambda s: abs(s - stride))
    if stride not in strides:
        raise FinegrainedError(
            f"--backbone {backbone} has no feature maps of stride {stride}; it has"
            f" {', '.join(map(str, sorted(set(strides)))) or 'none'}"
        )
    return len(strides) - 1 - strides[::-1].index(stride)
