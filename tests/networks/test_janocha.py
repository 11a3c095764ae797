"""The plain network of Table II: dropout, other sizes, timm's interface."""

import timm
import torch

from finegrained_crl.networks import register_networks

register_networks()


def net(**options):
    torch.manual_seed(0)
    return timm.create_model("janocha_convnet", num_classes=10, **options)


def test_dropout_is_its_own_unless_the_recipe_names_one():
    assert net().hidden[-1].p == 0.5
    assert net(drop_rate=0.2).hidden[-1].p == 0.2
    assert [m.p for m in net().modules() if isinstance(m, torch.nn.Dropout)] == [0.25, 0.25, 0.5]
    model, images = net(), torch.randn(2, 3, 32, 32)
    assert not torch.equal(model(images), model(images))
    assert torch.equal(model.eval()(images), model(images))


def test_logits_by_hand():
    model, images = net().eval(), torch.randn(2, 3, 32, 32)
    flat = model.forward_features(images).flatten(1)  # 6 x 6: nothing is pooled at 32 pixels
    assert flat.shape == (2, 64 * 36)
    torch.testing.assert_close(model(images), model.fc(torch.relu(model.hidden[0](flat))))
    assert model(torch.randn(2, 3, 48, 48)).shape == (2, 10)


def test_intermediates_are_the_blocks():
    model, images = net().eval(), torch.randn(1, 3, 32, 32)
    final, (first,) = model.forward_intermediates(images, indices=[0])
    torch.testing.assert_close(first, model.block1(images))
    torch.testing.assert_close(final, model.forward_features(images))
    assert len(model.forward_intermediates(images, intermediates_only=True)) == 2


def test_another_classifier():
    model = net()
    model.reset_classifier(3)
    assert model.eval()(torch.randn(1, 3, 32, 32)).shape == (1, 3)
    assert model.get_classifier() is model.fc
