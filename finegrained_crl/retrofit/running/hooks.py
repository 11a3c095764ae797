"""The functions of PyTorch and timm that get a hook, and taking the hooks out again."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from finegrained_crl.retrofit.account.ledger import Ledger
from finegrained_crl.retrofit.running.dispatch import Dispatcher
from finegrained_crl.retrofit.running.injection import inject
from finegrained_crl.retrofit.sites.settings import Settings


class Instruments:
    """Hooks in this process.

    Args:
        settings: what to replace, by what.
        ledger: where it is written down.
    """

    def __init__(self, settings: Settings, ledger: Ledger) -> None:
        self.dispatcher = d = Dispatcher(settings, ledger)
        self._undo: list[Callable[[], None]] = []
        self._replace(F.cross_entropy, d.cross_entropy, "_fgcrl_cross_entropy")
        self._replace(F.nll_loss, d.nll_loss, "_fgcrl_nll_loss")
        if hasattr(F, "linear_cross_entropy"):
            self._look(F.linear_cross_entropy, d.linear, "_fgcrl_linear")
        built = d.constructions.built
        self._look(nn.CrossEntropyLoss.__init__, lambda module, *_: built(module), "_fgcrl_built_ce")
        self._look(nn.NLLLoss.__init__, lambda module, *_: built(module), "_fgcrl_built_nll")
        self._account()
        self.reach_timm()
        self._undo.append(freeze_functional())

    def _account(self) -> None:
        """Let backward passes, updates and lost gradients be counted."""
        account, d = self.dispatcher.account, self.dispatcher
        self._look(torch.autograd.backward, d.backward, "_fgcrl_backward")
        self._look(torch.autograd.grad, d.grad, "_fgcrl_grad")
        # PyTorch keeps this one from being compiled by a wrapper; its body is the function inside.
        zero_grad = inspect.unwrap(torch.optim.Optimizer.zero_grad)
        self._look(zero_grad, lambda owner, *_: account.zeroed(owner), "_fgcrl_zeroed")
        self._look(nn.Module.zero_grad, lambda owner, *_: account.zeroed(owner), "_fgcrl_zeroed_module")
        load = nn.Module.load_state_dict
        self._undo.append(inject(load, lambda *_: (None, None), "_fgcrl_loaded", d.loaded))
        self._look(torch.optim.Optimizer.__init__, account.optimiser_made, "_fgcrl_optimiser")
        self._undo.append(register_optimizer_step_pre_hook(account.step_starts).remove)
        self._undo.append(register_optimizer_step_post_hook(account.updated).remove)

    def _replace(self, function: Callable[..., Any], hook: Callable[..., Any], name: str) -> None:
        self._undo.append(inject(function, hook, name, self.dispatcher.computed))
        self.dispatcher.frames.is_loss(function.__code__)

    def _look(self, function: Callable[..., Any], hook: Callable[..., Any], name: str) -> None:
        self._undo.append(inject(function, hook, name))

    def reach_timm(self) -> None:
        """Hook timm's two losses, once they have been imported."""
        timm: Any = sys.modules.get("timm.loss.cross_entropy")
        if timm is not None and hasattr(timm, "SoftTargetCrossEntropy"):
            self._replace(timm.LabelSmoothingCrossEntropy.forward, self.dispatcher.smoothed, "_fgcrl_smoothed")
            self._replace(timm.SoftTargetCrossEntropy.forward, self.dispatcher.soft_target, "_fgcrl_soft_target")

    def remove(self) -> None:
        """Give PyTorch back as it was."""
        self.dispatcher.account.stretches.finish()
        while self._undo:
            self._undo.pop()()


def freeze_functional() -> Callable[[], None]:
    """Let our losses use `torch.nn.functional` as it is now: a program that patches it later must not reach into them.

    Returns:
        a function that undoes it.
    """
    frozen = SimpleNamespace(**vars(F))
    ours = [m for name, m in sys.modules.items() if name.startswith("finegrained_crl.") and getattr(m, "F", None) is F]
    for module in ours:
        module.__dict__["F"] = frozen

    def undo() -> None:
        for module in ours:
            module.__dict__["F"] = F

    return undo
