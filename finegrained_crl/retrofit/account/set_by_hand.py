"""Does a program write the gradients that it steps with? Then what it set to zero before was not thrown away.

Per-sample clipping, or tasks whose gradients are projected onto each other, run backward passes, copy what they left,
set it to zero, and give the parameters a sum of the copies. A validation that runs a backward pass sets to zero as
well, and steps later with what the engine left.
"""

from __future__ import annotations

import weakref
from collections import deque
from typing import Any

import torch
from torch import Tensor
from torch.utils.weak import TensorWeakRef

from finegrained_crl.retrofit.account.leaves import few_values

ALIKE = 1e-3  # of directions, by rounding
ARRIVALS = 16  # that are kept, the last ones
LEAST = 4  # values, below which two gradients are alike by chance


class GradientWatch:
    """Knows the gradient that the engine wrote last into one parameter, and the last ones that arrived there.

    Args:
        parameter: a leaf; it gets a hook, so that this is for programs that set gradients to zero unused.
    """

    def __init__(self, parameter: Tensor) -> None:
        self._parameter = weakref.ref(parameter)
        self._written: Any = None
        self._values: Tensor | None = None
        self._arrived: deque[tuple[bool, Tensor]] = deque(maxlen=ARRIVALS)
        self._is_mixed = False  # was of several losses once
        self.is_own = False  # the pass that runs is one of the losses that are watched
        parameter.register_post_accumulate_grad_hook(self._accumulated)
        parameter.register_hook(self._arrives)

    def _arrives(self, gradient: Tensor) -> None:
        self._arrived.append((self.is_own, few_values(gradient)))
        self.is_own = False

    def _accumulated(self, parameter: Tensor) -> None:
        # Not `weakref.ref`: the Python object of a gradient is made anew for each look at it.
        self._written = None if parameter.grad is None else TensorWeakRef(parameter.grad)
        self._values = None if parameter.grad is None else few_values(parameter.grad)

    @property
    def parameter(self) -> Tensor | None:
        """The parameter, as long as it lives."""
        return self._parameter()

    def is_set_by_hand(self) -> bool:
        """Whether the parameter now has a gradient that is not the engine's, nor of other losses alone."""
        parameter = self._parameter()
        if parameter is None or parameter.grad is None:
            return False
        is_written = self._written is not None and self._written() is parameter.grad
        return not is_written and not self._is_of_others(few_values(parameter.grad))

    def _is_of_others(self, now: Tensor) -> bool:
        arrived = [(is_own, values) for is_own, values in self._arrived if values.norm() > 0]
        others = [values for is_own, values in arrived if not is_own]
        is_own = any(is_own and not _differ(now, values) for is_own, values in arrived)
        is_of_others = not is_own and _is_sum_of(now, others)
        # Who weighs gradients by each other may give one of them no weight at times.
        self._is_mixed = self._is_mixed or (not is_own and not is_of_others and bool(others))
        return len(now) >= LEAST and not self._is_mixed and is_of_others

    def is_added_to(self) -> bool:
        """Whether the engine's gradient was changed by more than a factor, which clipping and scalers put there."""
        parameter = self._parameter()
        if parameter is None or parameter.grad is None or self._values is None:
            return False
        return _differ(few_values(parameter.grad), self._values)


def _differ(now: Tensor, then: Tensor) -> bool:
    """By more than a factor."""
    now, then = now.double(), then.double()
    return float((now * then.norm() - then * now.norm()).norm()) > ALIKE * float(now.norm() * then.norm())


def _is_sum_of(now: Tensor, parts: list[Tensor]) -> bool:
    """Whether a gradient is a share of one part, or shares of several, which few values would be by chance."""
    if any(not _differ(now, part) for part in parts):
        return True
    if not parts or len(now) < len(parts) + LEAST:
        return False
    basis, goal = torch.stack(parts, 1).double().cpu(), now.double().cpu()
    shares = torch.linalg.lstsq(basis, goal[:, None], driver="gelsd").solution
    return float((basis @ shares - goal[:, None]).norm()) <= ALIKE * float(goal.norm())
