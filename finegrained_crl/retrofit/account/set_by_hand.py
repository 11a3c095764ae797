"""Does a program write the gradients that it steps with? Then what it set to zero before was not thrown away.

Per-sample clipping, or tasks whose gradients are projected onto each other, run backward passes, copy what they left,
set it to zero, and give the parameters a sum of the copies. A validation that runs a backward pass sets to zero as
well, and steps later with what the engine left.
"""

from __future__ import annotations

import weakref
from collections import deque
from typing import Any

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
        """Whether the parameter now has a gradient that the engine did not write, and that is no other loss's alone."""
        parameter = self._parameter()
        if parameter is None or parameter.grad is None:
            return False
        is_written = self._written is not None and self._written() is parameter.grad
        return not is_written and not self._is_of_others(few_values(parameter.grad))

    def _is_of_others(self, now: Tensor) -> bool:
        alike = [is_own for is_own, values in self._arrived if values.norm() > 0 and not _differ(now, values)]
        # Who weighs gradients by each other may give one of them no weight at times.
        self._is_mixed = self._is_mixed or (not alike and not all(is_own for is_own, _ in self._arrived))
        return len(now) >= LEAST and not self._is_mixed and bool(alike) and not any(alike)

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
