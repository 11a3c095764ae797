"""The networks around a call: what the program's frames hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import FrameType
from typing import Any

from torch import Tensor, nn

from finegrained_crl.retrofit.running.frames import Frames

MODULES = 8  # looked at, the nearest ones
PARAMETERS = 8  # of each, from all over it


def parameters_around(frames: Frames, frame: FrameType) -> list[Tensor]:
    """Some parameters of the networks that are variables of the callers, or attributes of these.

    Args:
        frames: which frames are the program's.
        frame: of the call.
    """
    networks: dict[int, nn.Module] = {}
    for _, caller in frames.frames(frame):
        for names in caller.f_locals, caller.f_globals:
            networks |= {id(network): network for network in _networks(names)}
    return [p for network in list(networks.values())[:MODULES] for p in _some(network)]


def _networks(names: Mapping[str, Any]) -> Iterable[nn.Module]:
    for value in list(names.values()):
        if issubclass(type(value), nn.Module):
            yield value
        elif type(value).__module__ not in ("builtins", "torch") and not isinstance(value, type):
            held = getattr(value, "__dict__", {})
            yield from [part for part in held.values() if issubclass(type(part), nn.Module)]


def _some(network: nn.Module) -> list[Tensor]:
    parameters: list[Tensor] = list(nn.Module.parameters(network))
    return parameters[:: max(1, len(parameters) // PARAMETERS)][:PARAMETERS]
