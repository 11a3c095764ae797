"""Where one value stands on its way to an update: counted until that, and told apart where it is dropped."""

from types import SimpleNamespace

import pytest
import torch

from finegrained_crl.retrofit.account.streams import SKIPPED, Flow, Stream


@pytest.fixture
def account():
    """An account that notes what it is told."""
    counted, passed = [], []
    ledger = SimpleNamespace(count=lambda row, column: counted.append((row, column)))
    return SimpleNamespace(ledger=ledger, unchecked=0, passed=passed.append, noted=passed, counted=counted)


def flow(account, value, is_replaced=True):
    return Flow(account, Stream(3, lambda reason: None, is_replaced=is_replaced), value, None, None)


def test_a_pass_is_told_until_the_value_is_updated(account):
    one = flow(account, torch.tensor(1.0))
    one((None,))
    one((None,))
    one.is_updated = True
    one((None,))
    assert account.noted == [one, one]


@pytest.mark.parametrize(
    ("value", "is_replaced", "is_open", "is_counted"),
    [
        (torch.tensor(torch.nan), True, True, True),
        (torch.tensor(torch.inf), True, True, True),
        (torch.tensor(1.0), True, True, False),
        (torch.tensor(torch.nan), False, True, False),
        (torch.tensor(torch.nan), True, False, False),
        (torch.tensor([torch.nan, 1.0]), True, True, False),
    ],
)
def test_a_value_that_is_dropped_because_it_is_not_finite_is_counted(account, value, is_replaced, is_open, is_counted):
    one = flow(account, value, is_replaced)
    one.open = is_open
    del one
    assert account.counted == ([(3, SKIPPED)] if is_counted else [])


def test_parameters_are_known_as_long_as_they_live():
    stream, parameter = Stream(0, lambda reason: None), torch.nn.Parameter(torch.zeros(1))
    assert not stream.trains(parameter)
    stream.parameters[id(parameter)] = lambda: parameter
    assert stream.trains(parameter)
    stream.parameters[id(parameter)] = lambda: None
    assert not stream.trains(parameter)
