"""`torch.compile` of the network, and CUDA graphs of what it makes."""

from __future__ import annotations

import torch
from torch import nn

from finegrained_crl.errors import FinegrainedError
from finegrained_crl.training.recipe import Recipe


def compile_network(model: nn.Module, *, graphs: bool) -> None:
    """Compile a network in place: names of weights stay, and a copy (EMA) is as it was.

    Args:
        model: the network.
        graphs: record its kernels as CUDA graphs, which the host replays in one call (torch's mode "reduce-overhead").
    """
    model.compile(mode="reduce-overhead" if graphs else None)


def require_graphs_possible(recipe: Recipe, device: torch.device) -> None:
    """What `--cuda-graphs` needs.

    Raises:
        FinegrainedError: the network is not compiled, the run is not on a CUDA device, or its gradients are summed over
            batches: a graph writes each batch's where it wrote the last one's.
    """
    if not recipe.compile:
        raise FinegrainedError("--cuda-graphs records what torch.compile makes of the network: pass --compile true too")
    if device.type != "cuda":
        raise FinegrainedError(f"--cuda-graphs needs a CUDA device, and this run is on {device.type}: leave it out")
    if recipe.accumulate > 1:
        raise FinegrainedError(
            f"--cuda-graphs with --accumulate {recipe.accumulate}: a graph writes the gradients of each batch where it"
            " wrote the last one's; take larger batches, or leave it out"
        )
