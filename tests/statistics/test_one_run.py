"""The interval for one more run holds it as often as it says."""

import numpy as np
import pytest

from finegrained_crl.statistics.one_run import interval_for_one_run


@pytest.mark.parametrize("runs", [2, 3, 10])
def test_the_next_run_lies_in_it_in_95_percent(runs):
    random = np.random.default_rng(0)
    hits = []
    for _ in range(4000):
        *seen, new = random.normal(90, 1.5, runs + 1)
        low, high = interval_for_one_run(seen)
        hits.append(low <= new <= high)
    assert np.mean(hits) == pytest.approx(0.95, abs=0.012)


@pytest.mark.parametrize("values", [[], [3.0], [3.0, 3.0]])
def test_no_spread_no_interval(values):
    assert interval_for_one_run(values) is None
