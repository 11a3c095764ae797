"""Mean and deviation over folds."""

import numpy as np
import pytest

from finegrained_crl.statistics.spread import fold_spread


def test_the_deviation_is_the_samples():
    assert fold_spread([1.0, 2.0, 6.0]) == (3.0, pytest.approx(7**0.5), 3)
    assert np.isnan(fold_spread([1.0]).deviation)


def test_no_value_has_no_spread():
    with pytest.raises(ValueError, match="at least one value"):
        fold_spread([])
