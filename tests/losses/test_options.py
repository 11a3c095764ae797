"""PyTorch's options are in every loss's signature and docstring, and class weights have the right length."""

import inspect

import pytest
import torch

from finegrained_crl.losses import (
    LOSSES,
    CompetingRatioLoss,
    CrossEntropyLoss,
    FocalLoss,
    LabelSmoothingLoss,
    SORDLoss,
    competing_ratio_loss,
    loss_class,
)
from finegrained_crl.retrofit.losses.replacement import log_probability_loss

LOGITS, TARGET = torch.randn(6, 5, generator=torch.Generator().manual_seed(0)), torch.arange(6) % 5
WEIGHTED = [name for name in LOSSES if "weight" in inspect.signature(loss_class(name)).parameters]


def test_signatures_are_whole():
    text = "gamma=2.0, weight=None, ignore_index=-100, reduction=mean, label_smoothing=0.0"
    parameters = inspect.signature(FocalLoss).parameters.values()
    assert ", ".join(f"{p.name}={p.default}" for p in parameters) == text
    kinds = {p.name: p.kind.name for p in inspect.signature(CompetingRatioLoss).parameters.values()}
    assert list(kinds) == ["alpha", "beta", "weight", "ignore_index", "reduction", "label_smoothing", "subtract_floor"]
    assert {n for n, kind in kinds.items() if kind == "KEYWORD_ONLY"} == kinds.keys() - {"alpha", "beta"}
    assert list(inspect.signature(SORDLoss).parameters) == ["scale", "distance", "weight", "ignore_index", "reduction"]


def test_docstrings_have_the_options_after_the_own_arguments():
    assert (
        "    gamma: >= 0; strength of the turning away. 2 is the paper's choice, 0 is cross-entropy.\n    weight:"
        " float," in FocalLoss.__doc__
    )
    assert CrossEntropyLoss.__doc__.splitlines()[2:4] == [
        "Args:",
        "    weight: float, (num_classes,), factor per class; a buffer.",
    ]
    assert LabelSmoothingLoss.__doc__.count("    reduction: ") == 1
    assert "label_smoothing" not in SORDLoss.__doc__


def test_a_loss_of_ones_own_may_be_written_in_any_way():
    class Plain(FocalLoss):
        def __init__(self, gamma=1.0, **anything):
            super().__init__(gamma, **anything)

    class Undocumented(FocalLoss):
        pass

    assert list(inspect.signature(Plain).parameters) == ["gamma", "anything"]
    assert inspect.signature(Undocumented) == inspect.signature(FocalLoss)
    assert Plain(reduction="sum")(LOGITS, TARGET) == FocalLoss(1.0, reduction="sum")(LOGITS, TARGET)


def test_an_unknown_option_is_refused_like_any_argument():
    with pytest.raises(TypeError, match="size"):
        FocalLoss(size=3)


@pytest.mark.parametrize("name", WEIGHTED)
@pytest.mark.parametrize("size", [3, 7])
def test_weights_of_the_wrong_length_are_refused_with_both_numbers(name, size):
    sizes = {"num_classes": 5} if name == "soft-labels" else {}
    criterion = loss_class(name)(**sizes, weight=torch.ones(size))
    with pytest.raises(ValueError, match=f"weight has {size} factors for 5 classes; give one per class"):
        criterion(LOGITS, TARGET)
    if criterion.takes_soft_targets:
        with pytest.raises(ValueError, match=f"weight has {size} factors for 5 classes"):
            criterion(LOGITS, LOGITS.softmax(1))


@pytest.mark.parametrize(
    "options",
    [{}, {"beta": 0.0}, {"alpha": 0.0}, {"alpha": 1e-6}, {"label_smoothing": 0.1}, {"reduction": "none"}],
    ids=str,
)
def test_the_functional_form_refuses_them_too(options):
    with pytest.raises(ValueError, match="weight has 9 factors for 5 classes"):
        competing_ratio_loss(LOGITS, TARGET, weight=torch.ones(9), **options)
    with pytest.raises(ValueError, match=r"weight must have the shape \(5,\), one factor per class, got \(5, 1\)"):
        competing_ratio_loss(LOGITS, TARGET, weight=torch.ones(5, 1), **options)


@pytest.mark.parametrize("alpha", [1.5, 0.0])
def test_a_retrofit_on_log_probabilities_refuses_them_too(alpha):
    with pytest.raises(ValueError, match="weight has 9 factors for 5 classes"):
        log_probability_loss(LOGITS.log_softmax(1), TARGET, alpha, weight=torch.ones(9))
