"""The networks are in timm's registry after the first look for a backbone, and not before; every method takes them."""

import subprocess
import sys

import pytest
import timm
import torch

from finegrained_crl import discovery
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.networks import NETWORKS, register_networks
from finegrained_crl.training.criteria import build_criteria
from finegrained_crl.training.method import ModelSpec, TrainBatch
from finegrained_crl.training.recipe import Component

SMALLEST = {"janocha_convnet": 16, "cifar_vgg16_bn": 32, "cifar_vgg19_bn": 32}
"""Pixels that the network's poolings leave something of; the residual ones take 8."""

DEEPEST = ("cifar_resnet50", "cifar_resnet101")
"""With one of their blocks in common, and a step of theirs takes ten times as long."""


def spec(name, size=32, weights="none"):
    return ModelSpec(name, 5, weights, 0.0, 0.0, size)


def test_the_package_costs_no_timm():
    code = "import sys, finegrained_crl.networks; sys.exit('timm' in sys.modules or 'torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_timm_knows_every_name_and_no_other_of_the_package():
    register_networks()
    assert set(NETWORKS) <= set(timm.list_models())
    ours = {name for module in set(NETWORKS.values()) for name in _defined(module)}
    assert ours == set(NETWORKS)


def _defined(module):
    return sys.modules[f"finegrained_crl.networks.{module}"].__all__


def test_weights_that_nobody_published():
    with pytest.raises(FinegrainedError, match=r"nobody published weights of 'cifar_resnet20': give --weights none"):
        discovery.methods()["resnet"]()().build(spec("cifar_resnet20", weights="pretrained"))


LOSSES = ("crl", "l-softmax", "a-softmax", "focal", "dual-ce", "tamed-ce", "nllr")
KINDS = ("crl", "l-softmax", "a-softmax")
"""Of the scores alone, and two that own the last layer."""


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_trains_under_each_kind_of_loss(name):
    train(name, KINDS if name not in DEEPEST else KINDS[:1])


def test_a_network_trains_under_all_of_table_ivs_losses():
    train("cifar_resnet20", LOSSES)


# The losses that are left, and those that own the last layer of the deepest; the two tests above are fast.
@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_trains_under_table_ivs_losses(name):
    train(name, LOSSES)


def train(name, names):
    """Two updates under each loss."""
    torch.manual_seed(0)
    method = discovery.methods()["resnet"]()()
    size = SMALLEST.get(name, 8)
    model = method.build(spec(name, size))
    images, labels = torch.randn(4, 3, size, size), torch.tensor([0, 1, 2, 3])
    for loss in names:
        criteria = build_criteria(Component(loss), method.roles(model))
        learnt = [*model.parameters(), *criteria.parameters()]
        optimizer = torch.optim.SGD(learnt, lr=1e-4)
        before = torch.cat([parameter.detach().flatten() for parameter in learnt]).clone()
        for _ in range(2):  # epochs of one batch
            losses, scores = method.training_step(model, criteria, TrainBatch(images, labels))
            optimizer.zero_grad()
            sum(losses.values()).backward()
            optimizer.step()
            assert torch.isfinite(losses["class"]), loss
            assert scores.shape == (4, 5)
        assert not torch.equal(before, torch.cat([parameter.detach().flatten() for parameter in learnt])), loss


@pytest.mark.parametrize("method_name", ["bcnn", "dfl", "dcl"])
@pytest.mark.parametrize("name", ["cifar_resnet20", "cifar_preact_resnet164", "cifar_vgg16_bn", "janocha_convnet"])
def test_methods_on_feature_maps_take_them(method_name, name):
    torch.manual_seed(0)
    method = discovery.methods()[method_name]()()
    model = method.build(spec(name)).eval()
    criteria = build_criteria(Component("ce"), method.roles(model))
    assert method.scores(model, criteria, torch.randn(2, 3, 32, 32)).shape == (2, 5)


def test_the_saved_network_is_timms_again(tmp_path):
    model = discovery.methods()["resnet"]()().build(spec("cifar_resnet20")).eval()
    torch.save(model.exported().state_dict(), tmp_path / "w.pth")
    again = timm.create_model("cifar_resnet20", num_classes=5, checkpoint_path=str(tmp_path / "w.pth")).eval()
    images = torch.randn(1, 3, 32, 32)
    torch.testing.assert_close(again(images), model(images).logits)
