"""Parameter groups, schedules and freezing."""

import pytest
import torch
from torch import nn

from finegrained_crl.errors import FinegrainedError
from finegrained_crl.training import optim
from finegrained_crl.training.criteria import build_criteria
from finegrained_crl.training.method import ModelSpec
from finegrained_crl.training.recipe import Component, Recipe
from finegrained_crl.training.trainee import Trainee
from finegrained_crl_plugins.resnet.method import ResNet


@pytest.fixture
def trainee():
    method = ResNet()
    model = method.build(ModelSpec("test_resnet", 5, "none", 0.0, 0.0, 32))
    return Trainee(method, model, build_criteria(Component("crl"), method.roles(model)))


def test_every_parameter_is_in_one_group_with_its_rate(trainee):
    groups = optim.parameter_groups(trainee, Recipe(lr=0.1, head_lr=0.7, weight_decay=0.01))
    placed = {id(p): g for g in groups for p in g["params"]}
    assert len(placed) == sum(len(g["params"]) for g in groups) == len(list(trainee.parameters()))
    head = trainee.model.head_modules()[0]
    assert placed[id(head.weight)]["lr"] == placed[id(head.bias)]["lr"] == 0.7
    for parameter in trainee.parameters():
        assert placed[id(parameter)]["weight_decay"] == (0.01 if parameter.ndim > 1 else 0.0)


def test_the_rates_that_are_told_are_the_backbones_and_the_heads(trainee):
    for head_lr, told in ((0.7, {"lr": 0.1, "head_lr": 0.7}), (0.1, {"lr": 0.1}), (None, {"lr": 0.1})):
        assert optim.learning_rates(optim.make_optimizer(trainee, Recipe(lr=0.1, head_lr=head_lr))) == told


def test_biases_and_norms_are_decayed_where_the_recipe_says_all(trainee):
    groups = optim.parameter_groups(trainee, Recipe(weight_decay=0.01, decay_all=True))
    assert {g["weight_decay"] for g in groups} == {0.01}
    assert sum(len(g["params"]) for g in groups) == len(list(trainee.parameters()))


def test_parameters_of_a_loss_train_with_the_head(trainee):
    trainee.criteria = nn.Linear(3, 3)
    groups = optim.parameter_groups(trainee, Recipe(lr=0.1, head_lr=0.7))
    rates = {id(p): g["lr"] for g in groups for p in g["params"]}
    assert rates[id(trainee.criteria.weight)] == 0.7


@pytest.mark.parametrize("name", ["sgd", "momentum", "adamw", "lamb", "rmsprop"])
def test_optimisers_by_timms_names_take_a_step(name, trainee):
    optimizer = optim.make_optimizer(trainee, Recipe(optimizer=name))
    before = trainee.model.head_modules()[0].weight.clone()
    trainee.model(torch.randn(2, 3, 32, 32)).logits.sum().backward()
    optimizer.step()
    assert not torch.equal(before, trainee.model.head_modules()[0].weight)


def rates(recipe, trainee, updates_per_epoch=10):
    optimizer = optim.make_optimizer(trainee, recipe)
    schedule = optim.make_schedule(optimizer, recipe, updates_per_epoch)
    found = []
    for update in range(recipe.epochs * updates_per_epoch):
        schedule.step_update(update)
        found.append(optimizer.param_groups[0]["lr"])
    return found


def test_the_papers_steps(trainee):
    found = rates(Recipe(lr=0.01, epochs=12, schedule="multistep", decay_epochs=[8]), trainee)
    assert found[:80] == pytest.approx([0.01] * 80)
    assert found[80:] == pytest.approx([0.001] * 40)


def test_step_with_a_period(trainee):
    found = rates(Recipe(lr=1.0, epochs=9, schedule="step", decay_epochs=[3], decay_rate=0.1), trainee)
    assert found[::30] == pytest.approx([1.0, 0.1, 0.01])


def test_cosine_with_warm_up(trainee):
    found = rates(Recipe(lr=1.0, epochs=10, warmup_epochs=2, schedule="cosine"), trainee)
    assert found[0] == 0
    assert found[:20] == sorted(found[:20])
    assert found[20:] == sorted(found[20:], reverse=True)
    assert found[-1] < 0.01


def test_constant_stays(trainee):
    assert set(rates(Recipe(lr=0.3, epochs=4, schedule="constant"), trainee)) == {0.3}


def test_freezing_names_its_modules(trainee):
    frozen = optim.freeze(trainee, ["layer1", "conv1"])
    names = {n for n, p in trainee.model.net.named_parameters() if not p.requires_grad}
    assert names == {n for n, _ in trainee.model.net.named_parameters() if n.startswith(("layer1", "conv1"))}
    assert any(isinstance(m, nn.BatchNorm2d) for m in frozen)
    with pytest.raises(FinegrainedError, match="no module 'layr2'; did you mean 'layer2'"):
        optim.freeze(trainee, ["layr2"])


def test_a_frozen_backbone_leaves_the_head(trainee):
    frozen = optim.freeze(trainee, ["backbone"])
    trained = {n for n, p in trainee.model.net.named_parameters() if p.requires_grad}
    assert trained == {"fc.weight", "fc.bias"}
    assert trainee.model.net.fc not in frozen
    assert trainee.model.net not in frozen


def test_a_head_without_a_rate_of_its_own_has_the_backbones(trainee):
    assert {g["lr"] for g in optim.parameter_groups(trainee, Recipe(lr=0.3))} == {0.3}
    assert {g["lr"] for g in optim.parameter_groups(trainee, Recipe(lr=0.3, head_lr=0.0))} == {0.3, 0.0}


def test_the_recipes_momentum_reaches_the_optimiser(trainee):
    optimizer = optim.make_optimizer(trainee, Recipe(optimizer="momentum", momentum=0.35))
    assert {g["momentum"] for g in optimizer.param_groups} == {0.35}


def test_the_cosine_ends_where_the_recipe_says(trainee):
    recipe = Recipe(lr=0.1, epochs=2, schedule="cosine", min_lr=0.04)
    optimizer = optim.make_optimizer(trainee, recipe)
    schedule = optim.make_schedule(optimizer, recipe, 10)
    schedule.step_update(0)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.1)
    schedule.step_update(19)
    last = 0.04 + 0.06 * (1 + torch.tensor(19 / 20 * torch.pi).cos().item()) / 2
    assert optimizer.param_groups[0]["lr"] == pytest.approx(last)


@pytest.mark.parametrize(("schedule", "decay_epochs"), [("step", [1]), ("multistep", [1, 2])])
def test_each_decay_is_by_the_recipes_rate(schedule, decay_epochs, trainee):
    recipe = Recipe(lr=0.1, epochs=3, schedule=schedule, decay_epochs=decay_epochs, decay_rate=0.5)
    optimizer = optim.make_optimizer(trainee, recipe)
    stepper = optim.make_schedule(optimizer, recipe, 10)
    seen = []
    for update in (0, 9, 10, 20):
        stepper.step_update(update)
        seen.append(optimizer.param_groups[0]["lr"])
    assert seen == pytest.approx([0.1, 0.1, 0.05, 0.025])
