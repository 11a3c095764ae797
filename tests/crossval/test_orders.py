"""Orders to stop reach launchers that were there, and no later one."""

import pytest

from finegrained_crl.crossval import orders as module
from finegrained_crl.crossval.orders import CancelledError, Orders, count_orders, give_order


def test_an_order_is_for_those_that_run(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.0)
    running, submitted = Orders(tmp_path), Orders(tmp_path, before=0)
    running.check()
    assert give_order(tmp_path) == 1
    for orders in (running, submitted):
        with pytest.raises(CancelledError, match="go on with: fgcrl crossval --out"):
            orders.check()
    with pytest.raises(CancelledError):  # of a task that began after the order, for a job that was given before it
        Orders(tmp_path, before=0).check()
    later = Orders(tmp_path)
    later.check()
    assert give_order(tmp_path) == count_orders(tmp_path) == 2
    with pytest.raises(CancelledError):
        later.check()
