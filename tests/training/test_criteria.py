"""The chosen loss stands where the method or --loss.where puts it, cross-entropy elsewhere."""

import pytest
import torch

from finegrained_crl import CompetingRatioLoss
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.losses.catalogue import loss_class
from finegrained_crl.training.criteria import build_criteria
from finegrained_crl.training.method import Role
from finegrained_crl.training.recipe import Component

ROLES = {"class": Role(5, 8), "swap": Role(10, 8, by_default=False)}


@pytest.mark.parametrize(
    ("where", "expected"),
    [(None, {"class"}), (["swap"], {"swap"}), (["class", "swap"], {"class", "swap"}), (["all"], {"class", "swap"})],
)
def test_roles_that_get_the_loss(where, expected):
    options = {"alpha": 2.0} | ({"where": where} if where else {})
    criteria = build_criteria(Component("crl", options), ROLES)
    assert {
        role for role, criterion in criteria.by_role.items() if isinstance(criterion, CompetingRatioLoss)
    } == expected
    assert all(c.alpha == 2.0 for c in criteria.by_role.values() if isinstance(c, CompetingRatioLoss))
    others = [c for role, c in criteria.by_role.items() if role not in expected]
    assert all(isinstance(c, loss_class("ce")) for c in others)


def test_a_role_that_is_not_there_names_the_nearest():
    with pytest.raises(
        FinegrainedError, match=r"--loss.where clas: this method has no such role; did you mean 'class'"
    ):
        build_criteria(Component("crl", {"where": ["clas"]}), ROLES)


def test_each_role_is_built_for_its_own_sizes():
    criteria = build_criteria(Component("center", {"where": ["all"]}), ROLES)
    assert [tuple(c.centers.shape) for c in criteria.by_role.values()] == [(5, 8), (10, 8)]


def test_a_loss_with_a_classifier_needs_a_single_role():
    build_criteria(Component("l-softmax"), {"class": Role(5, 8)})
    with pytest.raises(
        FinegrainedError, match="brings a classifier of its own, and this method has classifiers in 2 roles"
    ):
        build_criteria(Component("l-softmax"), ROLES)


def test_soft_targets_need_every_role_to_take_them():
    mixed = {role: build_criteria(Component("center", {"where": [role]}), ROLES) for role in ("class", "swap")}
    assert [criteria.takes_soft_targets for criteria in mixed.values()] == [False, False]
    assert build_criteria(Component("crl"), ROLES).takes_soft_targets


def test_a_loss_with_a_schedule_of_its_own_is_told_that_an_epoch_is_over():
    criteria = build_criteria(Component("pod", {"delta_rate": 1.0}), {"class": Role(5, 8)})
    criteria["class"](torch.ones(2, 8), torch.tensor([0, 1]))
    before = criteria["class"].delta
    criteria.end_epoch()
    assert criteria["class"].delta != before
    build_criteria(Component("crl"), ROLES).end_epoch()  # CRL has none
