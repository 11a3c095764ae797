"""The functions of PyTorch and timm that get a hook, and taking the hooks out again."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from torch import nn
from torch.nn import functional as F

from finegrained_crl.retrofit.dispatch import Dispatcher
from finegrained_crl.retrofit.injection import inject
from finegrained_crl.retrofit.ledger import Ledger
from finegrained_crl.retrofit.settings import Settings


class Instruments:
    """Hooks in this process.

    Args:
        settings: what to replace, by what.
        ledger: where it is written down.
    """

    def __init__(self, settings: Settings, ledger: Ledger) -> None:
        self.dispatcher = d = Dispatcher(settings, ledger)
        self._undo: list[Callable[[], None]] = []
        self._hook(F.cross_entropy, d.cross_entropy, "_fgcrl_cross_entropy", result=True)
        self._hook(F.nll_loss, d.nll_loss, "_fgcrl_nll_loss", result=True)
        if hasattr(F, "linear_cross_entropy"):
            self._hook(F.linear_cross_entropy, d.linear, "_fgcrl_linear", result=False)
        built = d.constructions.built
        self._hook(nn.CrossEntropyLoss.__init__, lambda module, *_: built(module), "_fgcrl_built_ce", result=False)
        self._hook(nn.NLLLoss.__init__, lambda module, *_: built(module), "_fgcrl_built_nll", result=False)
        self.reach_timm()

        self._undo.append(freeze_functional())

    def _hook(self, function: Callable[..., Any], hook: Callable[..., Any], name: str, *, result: bool) -> None:
        self._undo.append(inject(function, hook, name, result=result))

    def reach_timm(self) -> None:
        """Hook timm's two losses, once they have been imported."""
        timm: Any = sys.modules.get("timm.loss.cross_entropy")
        if timm is not None and hasattr(timm, "SoftTargetCrossEntropy"):
            self._hook(
                timm.LabelSmoothingCrossEntropy.forward, self.dispatcher.smoothed, "_fgcrl_smoothed", result=True
            )
            self._hook(
                timm.SoftTargetCrossEntropy.forward, self.dispatcher.soft_target, "_fgcrl_soft_target", result=True
            )

    def remove(self) -> None:
        """Give PyTorch back as it was."""
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
