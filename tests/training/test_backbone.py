"""Feature maps from any family, with nothing idle left in the network."""

import pytest
import torch

from finegrained_crl.errors import FinegrainedError
from finegrained_crl.training.backbone import Backbone
from finegrained_crl.training.method import ModelSpec


def spec(name, size=64):
    return ModelSpec(name, 5, "none", 0.0, 0.0, size)


@pytest.mark.parametrize(
    "name", ["test_resnet", "test_efficientnet", "test_convnext", "test_vit", "mobilenetv3_small_050"]
)
def test_maps_of_every_family(name):
    side = 160 if name == "test_vit" else 64
    backbone = Backbone(spec(name, side))
    maps = backbone(torch.randn(2, 3, side, side))
    assert maps.shape[:2] == (2, backbone.channels)
    assert maps.ndim == 4
    maps.sum().backward()
    assert [n for n, p in backbone.named_parameters() if p.grad is None] == []


def test_a_tap_beside_the_final_maps():
    backbone = Backbone(spec("test_resnet"), tap=16).eval()
    images = torch.randn(2, 3, 64, 64)
    final, tapped = backbone.with_tap(images)
    assert tapped.shape == (2, backbone.tap_channels, 4, 4)
    torch.testing.assert_close(final, backbone(images))
    torch.testing.assert_close(
        tapped, backbone.net.layer3(backbone.net.layer2(backbone.net.layer1(_stem(backbone.net, images))))
    )


def test_what_comes_after_the_tap_is_taken_out():
    whole, cut = Backbone(spec("test_resnet"), tap=16), Backbone(spec("test_resnet"), tap=16, stop_at_tap=True)
    images = torch.randn(1, 3, 64, 64)
    assert cut(images).shape == (1, whole.tap_channels, 4, 4)
    assert cut.channels == whole.tap_channels
    assert sum(p.numel() for p in cut.parameters()) < sum(p.numel() for p in whole.parameters())
    assert not any(name.startswith("net.layer4") for name in cut.state_dict())


def test_vggs_fully_connected_layers_go():
    assert sum(p.numel() for p in Backbone(spec("vgg11", 32), tap=16, stop_at_tap=True).parameters()) < 10_000_000


def test_a_stride_that_is_not_there_names_those_that_are():
    with pytest.raises(
        FinegrainedError, match=r"--backbone test_resnet has no feature maps of stride 64; it has 2, 4, 8, 16, 32"
    ):
        Backbone(spec("test_resnet"), tap=64)


def _stem(net, images):
    return net.maxpool(net.act1(net.bn1(net.conv1(images))))


def test_normalisation_is_the_networks_own():
    backbone = Backbone(spec("resnet10t"))
    assert (backbone.mean, backbone.std) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def test_the_nearest_stride_and_the_last_stage_that_has_it():
    images = torch.randn(1, 3, 64, 64)
    backbone = Backbone(spec("test_resnet"), tap=14, nearest=True).eval()
    assert backbone.with_tap(images)[1].shape[2:] == (4, 4)
    vit = Backbone(spec("test_vit"), tap=32, nearest=True).eval()
    final, tapped = vit.with_tap(images)
    torch.testing.assert_close(tapped, final)
    with pytest.raises(FinegrainedError, match="has no feature maps of stride 32; it has 16"):
        Backbone(spec("test_vit"), tap=32)


def test_looking_at_the_shapes_leaves_training_mode_and_statistics_alone():
    backbone = Backbone(spec("test_resnet"), tap=16)
    assert all(module.training for module in backbone.modules())
    assert all(p.grad is None for p in backbone.parameters())
    assert all(int(count) == 0 for name, count in backbone.named_buffers() if name.endswith("num_batches_tracked"))


def test_tokens_become_maps_after_the_last_norm():
    torch.manual_seed(0)
    backbone = Backbone(spec("test_vit")).eval()
    images = torch.randn(1, 3, 64, 64)
    patches = backbone.net.forward_features(images)[:, backbone.net.num_prefix_tokens :]
    torch.testing.assert_close(backbone(images).flatten(2).mT, patches)
    raw = backbone.net.forward_intermediates(images, indices=1, norm=False, intermediates_only=True)[-1]
    assert not torch.allclose(backbone(images), raw)
