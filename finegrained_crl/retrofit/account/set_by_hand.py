"""Does a program write the gradients that it steps with? Then what it set to zero before was not thrown away.

Per-sample clipping, or tasks whose gradients are projected onto each other, run backward passes, copy what they left,
set it to zero, and give the parameters a sum of the copies. A validation that runs a backward pass sets to zero as
well, and steps later with what the engine left.
"""

from __future__ import annotations

import weakref
from typing import Any

from torch import Tensor
from torch.utils.weak import TensorWeakRef

from finegrained_crl.retrofit.account.leaves import few_values

ALIKE = 1e-3  # of directions, by rounding


class GradientWatch:
    """Knows the gradient that the engine wrote last into one parameter.

    Args:
        parameter: a leaf; it gets a hook, so that this is for programs that set gradients to zero unused.
    """

    def __init__(self, parameter: Tensor) -> None:
        self._parameter = weakref.ref(parameter)
        self._written: Any = None
        self._values: Tensor | None = None
        parameter.register_post_accumulate_grad_hook(self._accumulated)

    def _accumulated(self, parameter: Tensor) -> None:
        # Not `weakref.ref`: the Python object of a gradient is made anew for each look at it.
        self._written = None if parameter.grad is None else TensorWeakRef(parameter.grad)
        self._values = None if parameter.grad is None else few_values(parameter.grad)

    @property
    def parameter(self) -> Tensor | None:
        """The parameter, as long as it lives."""
        return self._parameter()

    def is_set_by_hand(self) -> bool:
        """Whether the parameter now has a gradient that the engine did not write."""
        parameter = self._parameter()
        if parameter is None or parameter.grad is None:
            return False
        return self._written is None or self._written() is not parameter.grad

    def is_added_to(self) -> bool:
        """Whether the engine's gradient was changed by more than a factor, which clipping and scalers put there."""
        parameter = self._parameter()
        if parameter is None or parameter.grad is None or self._values is None:
            return False
        now, written = few_values(parameter.grad).double(), self._values.double()
        return float((now * written.norm() - written * now.norm()).norm()) > ALIKE * float(now.norm() * written.norm())
