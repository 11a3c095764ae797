"""From pictures to scores to a class, with a network whose scores are its input."""

from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from finegrained_crl.training.recipe import Recipe
from finegrained_crl.training.scorer import make_scorer

MEAN, STD = (0.1, 0.4, 0.6), (0.2, 0.3, 0.5)
ACCELERATOR = SimpleNamespace(device=torch.device("cpu"), autocast=nullcontext)


def trainee(decoder="median"):
    """Its scores are the means of the three channels of its normalised input."""
    method = SimpleNamespace(decoder=decoder) if decoder else SimpleNamespace()
    seen = []
    model = SimpleNamespace(mean=MEAN, std=STD)
    return SimpleNamespace(
        model=model, method=method, seen=seen, scores=lambda x: (seen.append(x), x.mean((2, 3)).double())[1]
    )


def pictures(batch=3, views=2):
    return torch.randint(0, 256, (batch, views, 5, 4, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def test_scores_are_the_mean_over_the_views_of_normalised_pictures():
    who, views = trainee(), pictures()
    scorer = make_scorer(who, Recipe(), ACCELERATOR, ordered=True)
    by_hand = ((views.numpy() / 255 - MEAN) / STD).mean((2, 3))  # (batch, views, channels)
    assert not np.allclose(by_hand[:, 0], by_hand[:, 1], atol=1e-2)
    scores = scorer.scores(who, views)
    np.testing.assert_allclose(scores, by_hand.mean(1), atol=1e-5)
    assert scores.dtype == np.float32
    assert not who.seen[0].requires_grad


@pytest.mark.parametrize("layout", ["channels_last", "contiguous"])
def test_the_network_gets_the_recipes_layout(layout):
    scorer = make_scorer(trainee(), Recipe(memory_format=layout), ACCELERATOR, ordered=True)
    inputs = scorer.inputs(pictures(views=1))
    assert inputs.shape == (3, 3, 5, 4)
    form = torch.channels_last if layout == "channels_last" else torch.contiguous_format
    assert inputs.is_contiguous(memory_format=form)


@pytest.mark.parametrize(
    ("decoder", "ordered", "expected"),
    [("median", True, 1), ("median", False, 0), ("mean", True, 1), ("argmax", True, 0), (None, True, 0)],
)
def test_the_class_is_the_methods_choice_where_classes_have_an_order(decoder, ordered, expected):
    scorer = make_scorer(trainee(decoder), Recipe(), ACCELERATOR, ordered=ordered)
    assert scorer.choose(np.log([[0.4, 0.3, 0.3]])).tolist() == [expected]
    assert scorer.decoder == (decoder if ordered and decoder else "argmax")
