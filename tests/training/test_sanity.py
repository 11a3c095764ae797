"""Losses and weights that are no numbers."""

import pytest
import torch
from torch import nn

from finegrained_crl.errors import FinegrainedError
from finegrained_crl.training.sanity import diverged, is_finite, require_finite_weights


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_loss_that_is_no_number(value):
    assert is_finite({"class": 1.0, "swap": -2.0})
    assert not is_finite({"class": 1.0, "swap": value})
    assert not is_finite({"class": value})


def test_the_error_says_where_what_and_what_is_left(tmp_path):
    checkpoint = tmp_path / "last.pt"
    text = str(diverged("epoch 2, batch 3", {"class": float("nan")}, ["a.png", "b.png"], checkpoint))
    assert "epoch 2, batch 3: class loss nan; images: a.png, b.png; no checkpoint was written yet" in text
    checkpoint.touch()
    assert "the last good checkpoint is kept in" in str(diverged("x", {}, [], checkpoint))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_one_broken_weight_among_good_ones_is_named(value, tmp_path):
    module = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    require_finite_weights(module, "epoch 1", tmp_path)
    with torch.no_grad():
        module[1].weight[0, 1] = value
    with pytest.raises(FinegrainedError, match=r"\(1\.weight\) by epoch 1"):
        require_finite_weights(module, "epoch 1", tmp_path)
