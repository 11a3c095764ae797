"""Optimiser, parameter groups and learning-rate schedule from a recipe; timm's own behind each."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from finegrained_crl.errors import FinegrainedError, guess, nearest
from finegrained_crl.training.recipe import Recipe
from finegrained_crl.training.trainee import Trainee


def freeze(trainee: Trainee, prefixes: list[str]) -> list[nn.Module]:
    """Stop training the named modules of the exported network.

    Args:
        trainee: model and criteria.
        prefixes: module names ("conv_stem", "blocks.0"), or "backbone" for everything but the head.
    Returns:
        the frozen modules: the loop keeps them in evaluation mode, so that batch-norm statistics stand still too.
    Raises:
        FinegrainedError: a prefix that names no module.
    """
    net = trainee.model.exported()
    head = {id(p) for h in trainee.model.head_modules() for p in h.parameters()}
    children = dict(net.named_modules())
    frozen = []
    for prefix in prefixes:
        if prefix != "backbone" and prefix not in children:
            top = [name for name, _ in net.named_children()]
            raise FinegrainedError(
                f"--freeze: the model has no module '{prefix}'; {nearest(prefix, ['backbone', *top])}"
            )
        root = net if prefix == "backbone" else children[prefix]
        for module in root.modules():
            own = list(module.parameters(recurse=False))
            if not any(id(p) in head for p in own):
                frozen.append(module)
                for parameter in own:
                    parameter.requires_grad_(False)
    heads = {id(m) for h in trainee.model.head_modules() for m in h.modules()}
    # A module that holds the head goes on training, whatever else of it is frozen.
    return [module for module in frozen if heads.isdisjoint(map(id, module.modules()))]


def parameter_groups(trainee: Trainee, recipe: Recipe) -> list[dict[str, Any]]:
    """Four groups: backbone and head (with the criteria's own parameters), each with and without weight decay.

    Vectors (biases, norms) are not decayed, as in timm, unless the recipe says `decay_all`.
    """
    head = {id(p) for h in [*trainee.model.head_modules(), trainee.criteria] for p in h.parameters()}
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for parameter in trainee.parameters():
        if parameter.requires_grad:
            is_decayed = parameter.ndim > 1 or recipe.decay_all
            groups.setdefault((id(parameter) in head, is_decayed), []).append(parameter)
    head_lr = recipe.lr if recipe.head_lr is None else recipe.head_lr
    return [
        {
            "params": params,
            "part": "head" if in_head else "backbone",
            "lr": head_lr if in_head else recipe.lr,
            "weight_decay": recipe.weight_decay if decayed else 0.0,
        }
        for (in_head, decayed), params in groups.items()
    ]


def learning_rates(optimizer: torch.optim.Optimizer) -> dict[str, float]:
    """The rates as they stand: "lr" of the backbone (the head's, where that is frozen), "head_lr" where it differs."""
    by_part = {group["part"]: float(group["lr"]) for group in optimizer.param_groups}
    lr = by_part.get("backbone", by_part.get("head", 0.0))
    head_lr = by_part.get("head", lr)
    return {"lr": lr} if head_lr == lr else {"lr": lr, "head_lr": head_lr}


def make_optimizer(trainee: Trainee, recipe: Recipe) -> torch.optim.Optimizer:
    """timm's optimiser of that name over `parameter_groups`.

    Raises:
        FinegrainedError: no such optimiser.
    """
    from timm.optim import create_optimizer_v2, list_optimizers

    if recipe.optimizer not in list_optimizers():
        hint = "; ".join(
            filter(None, (guess(recipe.optimizer, list_optimizers()), "common: sgd, momentum, adamw, lamb"))
        )
        raise FinegrainedError(f"--optimizer: timm has no '{recipe.optimizer}'; {hint}")
    groups: Any = parameter_groups(trainee, recipe)
    options: dict[str, Any] = {"weight_decay": recipe.weight_decay, "momentum": recipe.momentum}
    if recipe.optimizer in ("sgd", "nesterov", "momentum", "adam", "adamw"):
        options["fused"] = True  # one kernel for all parameters, on the CPU too; the same arithmetic
    optimizer: torch.optim.Optimizer = create_optimizer_v2(groups, opt=recipe.optimizer, lr=recipe.lr, **options)
    return optimizer


def make_schedule(optimizer: torch.optim.Optimizer, recipe: Recipe, updates_per_epoch: int) -> Any:
    """timm's schedule, a function of the number of updates alone: `schedule.step_update(n)` before update n.

    Because it has no memory, an interrupted run needs nothing but n to go on.
    """
    from timm.scheduler import CosineLRScheduler, MultiStepLRScheduler, StepLRScheduler

    r, per = recipe, updates_per_epoch
    warmup = {"warmup_t": r.warmup_epochs * per, "warmup_lr_init": 0.0, "t_in_epochs": False}
    if r.schedule == "cosine":
        return CosineLRScheduler(optimizer, t_initial=r.epochs * per, lr_min=r.min_lr, **warmup)
    if r.schedule == "step":
        return StepLRScheduler(optimizer, decay_t=r.decay_epochs[0] * per, decay_rate=r.decay_rate, **warmup)
    # timm's multi-step scheduler decays when n + 1 reaches a milestone, which is one update early.
    milestones = []
    if r.schedule == "multistep":
        milestones = [epoch * per + 1 for epoch in r.decay_epochs]
    return MultiStepLRScheduler(optimizer, decay_t=milestones, decay_rate=r.decay_rate, **warmup)
