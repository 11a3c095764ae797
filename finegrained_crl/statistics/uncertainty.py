"""How far an estimate may lie from the truth: variances with their degrees of freedom, and quantiles from them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Source = Literal["folds", "runs", "people"]


@dataclass(frozen=True)
class Component:
    """One source's share of the squared standard error.

    Attributes:
        source: "folds" (everything that differs between folds: people, training sets, runs), "runs" (training again on
            the same data) or "people" (other held-out people or pictures).
        variance: of the estimate, from this source alone.
        df: degrees of freedom that the variance was estimated with.
    """

    source: Source
    variance: float
    df: float


@dataclass(frozen=True)
class Uncertainty:
    """The distribution of an estimate around the truth.

    Where two sources are added, the quantile is the mean of their Student quantiles, weighted by their variances
    (Cochran and Cox's answer to the Behrens-Fisher problem). Welch and Satterthwaite's single number of degrees of
    freedom covers 84 to 90 % instead of 95 where two or three runs dominate; this one covers 94 to 98 (`python
    tools/benchmark.py intervals`).

    Attributes:
        components: none where nothing was repeated.

    Source: Cochran and Cox, 1957, Experimental designs, section 4.14.
    """

    components: tuple[Component, ...]

    @property
    def variance(self) -> float:
        """Squared standard error; NaN without components."""
        return sum(part.variance for part in self.components) if self.components else float("nan")

    @property
    def error(self) -> float:
        """Standard error."""
        return float(np.sqrt(self.variance))

    @property
    def usable(self) -> bool:
        """Whether an interval can be had: some spread was seen."""
        return bool(np.isfinite(self.variance) and self.variance > 0)

    def quantile(self, level: float) -> float:
        """How many standard errors the middle `level` of the distribution reaches to either side."""
        from scipy.special import stdtrit  # not scipy.stats: it stumbles over a torch that is blocked or half installed

        tail = (1 + level) / 2
        reach = sum(part.variance * stdtrit(part.df, tail) for part in self.components)
        return float(reach / self.variance)

    def p_value(self, distance: float) -> float:
        """Two-sided: how often chance alone lies at least so far from the truth; NaN where no interval can be had."""
        return 2 * self.above(abs(distance))

    def above(self, distance: float) -> float:
        """Probability that chance alone lies above `distance`."""
        from scipy.optimize import brentq
        from scipy.special import stdtr

        if not self.usable:
            return float("nan")
        ratio = distance / self.error
        if len(self.components) == 1:
            return float(stdtr(self.components[0].df, -ratio))
        if ratio < 0:
            return 1 - self.above(-distance)
        lowest, highest = 0.0, 1 - 1e-12
        if self.quantile(highest) <= ratio:
            return (1 - highest) / 2
        level = brentq(lambda level: self.quantile(level) - ratio, lowest, highest, xtol=1e-12)
        return float((1 - level) / 2)

    def times(self, factor: float) -> Uncertainty:
        """The same with every variance multiplied."""
        return Uncertainty(tuple(replace(part, variance=part.variance * factor) for part in self.components))


def jackknife_variance(replicates: ArrayLike) -> NDArray[np.float64]:
    """Variance of a figure from its values without each cluster in turn.

    Args:
        replicates: float, (..., clusters).
    Returns:
        float, (...). A figure that is undefined without some cluster (the only person of its class) takes that one as
        telling nothing.
    Source: Tukey, 1958; for clusters: Cameron and Miller, 2015, A practitioner's guide to cluster-robust inference.

    >>> jackknife_variance([1.0, 2.0, 3.0])  # of a mean of (3, 2, 1) * 2: s^2 / n
    array(1.33333333)
    """
    values = np.asarray(replicates, dtype=np.float64)
    clusters = values.shape[-1]
    defined = np.isfinite(values).sum(axis=-1, keepdims=True)
    centred = values - np.nansum(values, axis=-1, keepdims=True) / np.maximum(defined, 1)
    return np.asarray(np.nansum(centred**2, axis=-1) * (clusters - 1) / clusters)


def effective_number(sizes: ArrayLike) -> float:
    """How many clusters of equal size would tell as much.

    Source: Kish, 1965, Survey sampling.

    >>> effective_number([10, 10, 10]), round(effective_number([28, 1, 1]), 2)
    (3.0, 1.15)
    """
    numbers = np.asarray(sizes, dtype=np.float64)
    return float(numbers.sum() ** 2 / (numbers**2).sum())
