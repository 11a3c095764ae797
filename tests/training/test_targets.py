"""Soft targets: smoothing as PyTorch does it, mixing linear in the loss."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from finegrained_crl import CompetingRatioLoss
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.training.criteria import Criteria
from finegrained_crl.training.ranges import check_recipe
from finegrained_crl.training.recipe import Component, Recipe
from finegrained_crl.training.targets import Targets, hard_labels, smooth_targets


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(8, 3, 6, 6, generator=generator), torch.randint(0, 5, (8,), generator=generator)


def test_labels_stay_labels_where_nothing_is_soft(batch):
    images, labels = batch
    same, target = Targets(Recipe(), 5, Criteria({"class": CompetingRatioLoss()}))(images, labels)
    assert same is images
    assert target is labels


@pytest.mark.parametrize("criterion", [CompetingRatioLoss(), CompetingRatioLoss(beta=0.0)])
def test_smoothed_targets_equal_the_losses_own_smoothing(criterion, batch):
    logits, labels = torch.randn(8, 5), batch[1]
    own = CompetingRatioLoss(criterion.alpha, criterion.beta, label_smoothing=0.1)(logits, labels)
    torch.testing.assert_close(criterion(logits, smooth_targets(labels, 5, 0.1)), own)


def test_smoothing_zero_is_one_hot(batch):
    assert torch.equal(smooth_targets(batch[1], 5, 0.0), F.one_hot(batch[1], 5).float())


@pytest.mark.parametrize(
    "options", [{"mixup": 0.4}, {"cutmix": 1.0}, {"mixup": 0.4, "cutmix": 1.0, "label_smoothing": 0.1}]
)
def test_mixed_targets_are_distributions_and_seeded(options, batch):
    targets = Targets(Recipe(**options), 5, Criteria({"class": CompetingRatioLoss()}))
    np.random.seed(3)
    images, target = targets(batch[0].clone(), batch[1])
    torch.testing.assert_close(target.sum(1), torch.ones(8))
    np.random.seed(3)
    again, _ = targets(batch[0].clone(), batch[1])
    assert torch.equal(images, again)
    assert not torch.equal(images, batch[0])


@pytest.mark.parametrize(("options", "pastes"), [({"mixup": 1.0}, False), ({"cutmix": 1.0}, True)])
def test_mixup_blends_and_cutmix_pastes(options, pastes, batch):
    targets = Targets(Recipe(**options), 5, Criteria({"class": CompetingRatioLoss()}))
    np.random.seed(3)
    images, _ = targets(batch[0].clone(), batch[1])
    is_one_of_two = (images == batch[0]) | (images == batch[0].flip(0))
    assert bool(is_one_of_two.all()) == pastes


def test_crl_of_a_mixed_target_is_the_mix_of_two_crls(batch):
    logits, a, b = torch.randn(8, 5), batch[1], batch[1].flip(0)
    criterion = CompetingRatioLoss()
    mixed = 0.3 * F.one_hot(a, 5).float() + 0.7 * F.one_hot(b, 5).float()
    torch.testing.assert_close(criterion(logits, mixed), 0.3 * criterion(logits, a) + 0.7 * criterion(logits, b))


def test_an_odd_last_batch_is_smoothed_not_mixed(batch):
    images, target = Targets(Recipe(mixup=0.4), 5, Criteria({"class": CompetingRatioLoss()}))(
        batch[0][:3], batch[1][:3]
    )
    assert torch.equal(images, batch[0][:3])
    assert torch.equal(hard_labels(target), batch[1][:3])


def test_a_loss_for_class_indices_refuses_soft_targets():
    with pytest.raises(FinegrainedError, match="takes class indices only: set --label-smoothing"):
        Targets(Recipe(label_smoothing=0.1), 5, Criteria({"class": torch.nn.MultiMarginLoss()}))


def test_a_loss_that_smooths_is_not_smoothed_again():
    check_recipe(Recipe(data="x", loss=Component("smoothing")))
    check_recipe(Recipe(data="x", label_smoothing=0.1))
    with pytest.raises(
        FinegrainedError, match="--label-smoothing and --loss smoothing would smooth twice: give one of them"
    ):
        check_recipe(Recipe(data="x", label_smoothing=0.1, loss=Component("smoothing")))


@pytest.mark.parametrize("options", [{"mixup": 0.4}, {"cutmix": 1.0}])
def test_mixed_targets_are_smoothed_too(options, batch):
    images, labels = batch
    targets = Targets(Recipe(label_smoothing=0.3, **options), 5, Criteria({"class": CompetingRatioLoss()}))
    _, target = targets(images, labels)
    assert target.min().item() == pytest.approx(0.3 / target.shape[1])
