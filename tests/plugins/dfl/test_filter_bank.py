"""Filter bank and cross-channel pooling against the definition in plain loops."""

import pytest
import torch
from torch.nn import functional as F

from finegrained_crl_plugins.dfl.filter_bank import FilterBank, calibrate, cross_channel_pooling


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("high", "wide"), [(7, 7), (5, 9), (1, 1)])
def test_peaks_are_those_of_convolution_and_global_max_pooling(high, wide, dtype):
    torch.manual_seed(0)
    bank = FilterBank(6, num_classes=4, filters=3).to(dtype)
    maps = torch.randn(5, 6, high, wide, dtype=dtype, requires_grad=True)
    responses = F.conv2d(maps, bank.weight, bank.bias)
    expected, places = F.max_pool2d(responses, (high, wide), return_indices=True)
    found = bank(maps)
    torch.testing.assert_close(found.values, expected.flatten(1))
    assert torch.equal(found.places, places.flatten(1))
    assert found.values.shape == (5, 12)
    direction = torch.randn_like(found.values)
    ours = torch.autograd.grad(found.values, [maps, bank.weight, bank.bias], direction)
    theirs = torch.autograd.grad(expected.flatten(1), [maps, bank.weight, bank.bias], direction)
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other)


def test_layout_makes_no_difference():
    torch.manual_seed(0)
    bank, maps = FilterBank(8, 3, 2), torch.randn(2, 8, 6, 5)
    last = bank(maps.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(last.values, bank(maps).values)
    assert torch.equal(last.places, bank(maps).places)


@pytest.mark.parametrize(("classes", "filters"), [(3, 1), (4, 10), (2, 7)])
def test_cross_channel_pooling_is_each_classs_mean(classes, filters):
    torch.manual_seed(0)
    values = torch.randn(5, classes * filters)
    expected = [
        [sum(float(row[c * filters + j]) for j in range(filters)) / filters for c in range(classes)] for row in values
    ]
    torch.testing.assert_close(cross_channel_pooling(values, filters), torch.tensor(expected))


def test_the_side_branch_moves_only_its_classs_filters():
    torch.manual_seed(0)
    bank = FilterBank(6, num_classes=4, filters=3)
    cross_channel_pooling(bank(torch.randn(2, 6, 4, 4)).values, 3)[:, 2].sum().backward()
    moved = bank.weight.grad.flatten(1).abs().sum(1) > 0
    assert moved.tolist() == [6 <= i < 9 for i in range(12)]


def test_calibrated_peaks_have_mean_zero():
    torch.manual_seed(0)
    bank = FilterBank(8, 3, 2)
    maps, weight = 40 * torch.randn(30, 8, 5, 5) + 100, bank.weight.detach().clone()
    raw = F.conv2d(maps, weight).amax((2, 3))
    calibrate(bank, maps.split(7), size=110.0)
    peaks = bank(maps).values.detach()
    torch.testing.assert_close(peaks.mean(0), torch.zeros(6), atol=1e-4, rtol=0)
    torch.testing.assert_close(peaks, (raw - raw.mean(0)) / 110, atol=1e-4, rtol=1e-4)
    assert torch.equal(bank.weight, weight)
