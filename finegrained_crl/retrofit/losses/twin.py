"""The CRL twin of a criterion object, for notebooks and for patched calls."""

from __future__ import annotations

import warnings
from typing import Any

from torch import Tensor, nn

from finegrained_crl.losses.competing_ratio import CompetingRatioLoss
from finegrained_crl.retrofit.losses.replacement import log_probability_loss

COMPUTES = {"cross_entropy", "nll_loss", "log_softmax", "softmax", "CrossEntropyLoss", "logsumexp"}


_warned: set[str] = set()


class LogProbabilityCRL(nn.NLLLoss):
    """CRL on log-probabilities, the twin of `torch.nn.NLLLoss`.

    Args:
        alpha, beta: as for `CompetingRatioLoss`.
        options: of `torch.nn.NLLLoss`.
    """

    def __init__(self, alpha: float, beta: float, **options: Any) -> None:
        super().__init__(**options)
        CompetingRatioLoss(alpha, beta)  # refuses what is out of range
        self.alpha, self.beta = alpha, beta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Compute the loss of log-probabilities `input` against class indices."""
        options: dict[str, Any] = {
            "weight": self.weight,
            "ignore_index": self.ignore_index,
            "reduction": self.reduction,
        }
        return log_probability_loss(input, target, self.alpha, self.beta, **options)


def retrofit_criterion(
    criterion: nn.Module, alpha: float = 1.5, beta: float = 1.0, *, strict: bool = True
) -> nn.Module:
    """Make the CRL twin of a cross-entropy criterion, with its weights and options; the criterion itself stays as it
    is.

    Args:
        criterion: `nn.CrossEntropyLoss`, or a subclass whose forward calls `super().forward`; `nn.NLLLoss`, or timm's
            `LabelSmoothingCrossEntropy` or `SoftTargetCrossEntropy`.
        alpha: >= 0, as for `CompetingRatioLoss`.
        beta: >= 0; 0 is cross-entropy.
        strict: False: what is no cross-entropy is given back as it is, with one warning for each kind of object; a
            patched program may meet other losses, by its options.
    Returns:
        a module that is called as the criterion is; its weight is the criterion's own tensor. The twin of a subclass
        shares all its attributes.
    Raises:
        TypeError: it is something else, or a subclass that computes a loss of its own (with `strict`).
        ValueError: alpha or beta is negative.

    >>> retrofit_criterion(nn.CrossEntropyLoss(label_smoothing=0.1))
    CompetingRatioLoss(alpha=1.5, beta=1.0, label_smoothing=0.1)
    """
    if not strict:
        twin: nn.Module = _twin_or_itself(criterion, alpha, beta)
        return twin
    kind = type(criterion)
    if isinstance(criterion, nn.CrossEntropyLoss) and kind.forward is nn.CrossEntropyLoss.forward:
        replacement: nn.Module = CompetingRatioLoss(
            alpha, beta, **_options(criterion), label_smoothing=criterion.label_smoothing
        )
    elif isinstance(criterion, nn.CrossEntropyLoss) and _defers(kind):
        return _twin(criterion, alpha, beta)
    elif isinstance(criterion, nn.NLLLoss) and kind.forward is nn.NLLLoss.forward:
        replacement = LogProbabilityCRL(alpha, beta, **_options(criterion))
    elif kind.__module__ == "timm.loss.cross_entropy" and kind.__name__ == "LabelSmoothingCrossEntropy":
        replacement = CompetingRatioLoss(alpha, beta, label_smoothing=float(criterion.smoothing))  # type: ignore[arg-type]
    elif kind.__module__ == "timm.loss.cross_entropy" and kind.__name__ == "SoftTargetCrossEntropy":
        replacement = CompetingRatioLoss(alpha, beta)
    else:
        raise TypeError(
            f"{kind.__name__} has no exact CRL twin: expected nn.CrossEntropyLoss (or a subclass whose forward computes"
            " by super().forward alone), nn.NLLLoss, or timm's LabelSmoothingCrossEntropy or SoftTargetCrossEntropy;"
            " use `with retrofit():` around the training instead"
        )
    return replacement.train(criterion.training)


def _twin_or_itself(criterion: Any, alpha: float, beta: float) -> Any:
    try:
        return retrofit_criterion(criterion, alpha, beta)
    except TypeError:
        name = getattr(criterion, "__qualname__", type(criterion).__qualname__)
        if name not in _warned:
            _warned.add(name)
            warnings.warn(f"{name} is no cross-entropy that CRL can replace; it goes on unchanged", stacklevel=3)
        return criterion


def _options(criterion: nn.CrossEntropyLoss | nn.NLLLoss) -> dict[str, Any]:
    return {"weight": criterion.weight, "ignore_index": criterion.ignore_index, "reduction": criterion.reduction}


def _defers(kind: type[nn.Module]) -> bool:
    """Tell whether each forward of a subclass leaves the loss to `super().forward` and computes no softmax or loss
    itself.
    """
    own = [vars(c)["forward"] for c in kind.__mro__[: kind.__mro__.index(nn.CrossEntropyLoss)] if "forward" in vars(c)]
    codes = [getattr(forward, "__code__", None) for forward in own]
    return all(
        code is not None and {"super", "forward"} <= set(code.co_names) and not COMPUTES & set(code.co_names)
        for code in codes
    )


def _twin(criterion: nn.CrossEntropyLoss, alpha: float, beta: float) -> nn.Module:
    """The same object, state included, with CRL as what `super().forward` means."""
    CompetingRatioLoss(alpha, beta)  # refuses what is out of range
    kind = type(criterion)
    settings = {"alpha": alpha, "beta": beta, "subtract_floor": False, "__module__": kind.__module__}
    twin: nn.Module = object.__new__(type(kind.__name__, (kind, CompetingRatioLoss), settings))
    object.__setattr__(twin, "__dict__", criterion.__dict__)
    return twin
