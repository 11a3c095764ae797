"""Grad-CAM against its definition, for maps, channels-last maps and tokens."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from finegrained_crl.training import explain
from finegrained_crl.training.criteria import build_criteria
from finegrained_crl.training.explain import as_maps, grad_cam
from finegrained_crl.training.method import FineGrainedModel, ModelSpec, Outputs, Panel
from finegrained_crl.training.recipe import Component, Recipe
from finegrained_crl.training.timm_classifier import PlainFineTuning
from finegrained_crl.training.trainee import Trainee
from finegrained_crl_plugins.resnet.method import ResNet


class TwoMaps(FineGrainedModel):
    """Maps are the first two colours; class 0 likes the first and dislikes the second, class 1 the other way round."""

    def __init__(self) -> None:
        super().__init__()
        self.num_classes, self.feature_dim = 2, 2
        self.maps, self.head = nn.Identity(), nn.Linear(2, 2, bias=False)
        self.head.weight.data = torch.tensor([[1.0, -1.0], [-1.0, 1.0]])

    def forward(self, images):
        features = self.maps(images[:, :2]).mean((2, 3))
        return Outputs(self.head(features), features)

    def cam_module(self):
        return self.maps


class Plain(PlainFineTuning):
    summary = "for this test"


def trainee(method, model):
    return Trainee(method, model, build_criteria(Component("crl"), method.roles(model))).eval()


def test_heat_is_the_rectified_weighted_sum_of_the_maps():
    image = torch.zeros(1, 3, 4, 4)
    image[0, 0, 1, 2], image[0, 1, 3, 3] = 2.0, 1.0
    image[0, :2, 2, 0] = 1.0  # one speaks for the class what the other speaks against it
    heat = grad_cam(trainee(Plain(), TwoMaps()), image, 0)
    expected = np.zeros((4, 4))
    expected[1, 2] = 1.0  # the first colour speaks for class 0, the second against it
    assert heat == pytest.approx(expected)
    other = grad_cam(trainee(Plain(), TwoMaps()), image, 1)
    assert np.unravel_index(other.argmax(), other.shape) == (3, 3)


class SquaredMaps(TwoMaps):
    """Where a map is high it matters more."""

    def forward(self, images):
        features = self.maps(images[:, :2]).square().mean((2, 3))
        return Outputs(self.head(features), features)


def test_a_maps_weight_is_its_mean_slope():
    image = torch.zeros(1, 3, 4, 4)
    image[0, 0, 1, 2], image[0, 0, 0, 0], image[0, 1] = 3.0, 1.0, 0.5
    maps = image[0, :2].numpy()
    weights = maps.mean((1, 2)) * [1, -1]  # of slopes that are proportional to the maps
    expected = np.maximum((weights[:, None, None] * maps).sum(0), 0)
    heat = grad_cam(trainee(Plain(), SquaredMaps()), image, 0)
    assert heat == pytest.approx(expected / expected.max(), abs=1e-6)


@pytest.mark.parametrize(
    ("backbone", "side"), [("test_resnet", 64), ("test_vit", 160), ("test_convnext", 64), ("test_efficientnet", 64)]
)
def test_every_family_gives_a_heat_map_of_the_inputs_size(backbone, side):
    method = ResNet()
    model = method.build(ModelSpec(backbone, 3, "none", 0.0, 0.0, side))
    heat = grad_cam(trainee(method, model), torch.randn(1, 3, side, side), 0)
    assert heat.shape == (side, side)
    assert heat.min() >= 0
    assert heat.max() <= 1


def test_tokens_and_channels_last_maps_become_maps():
    maps = torch.randn(1, 6, 4, 4)
    tokens = torch.cat([torch.zeros(1, 2, 6), maps.flatten(2).transpose(1, 2)], 1)
    assert torch.equal(as_maps(tokens), maps)
    assert torch.equal(as_maps(maps.permute(0, 2, 3, 1)), maps)
    assert torch.equal(as_maps(maps), maps)


def test_what_each_kind_of_panel_shows():
    """The network's own input as the photograph with its marks, a map over it, another picture in its own colours."""
    photograph = np.full((8, 8, 3), 7, np.uint8)
    network = SimpleNamespace(mean=(0.5, 0.25, 0.0), std=(0.5, 0.25, 1.0))
    network_input = torch.randn(1, 3, 4, 4)

    own = explain._shown(Panel("own", network_input[0], [(1.0, 3.0, "beak")]), photograph, network_input, network)
    assert own.picture is photograph
    assert (own.heat, own.points) == (None, [(2.0, 6.0, "beak")])

    heat = explain._shown(Panel("map", torch.full((2, 2), 0.5), []), photograph, network_input, network)
    assert heat.picture is photograph
    assert heat.heat == pytest.approx(np.full((8, 8), 0.5))

    other = torch.tensor([[[1.0, -1.0]], [[3.0, 0.0]], [[0.0, 0.6]]])
    shown = explain._shown(Panel("other", other, []), photograph, network_input, network)
    assert shown.picture.tolist() == [[[255, 255, 0], [0, 64, 153]]]
    assert shown.heat is None


def test_the_photograph_is_shown_in_more_pixels_than_the_network_saw():
    pixels = np.zeros((600, 600, 3), np.uint8)
    for side, shown in ((32, 448), (512, 512)):
        predictor = SimpleNamespace(recipe=Recipe(image_size=side))
        assert explain._photograph(predictor, pixels).shape == (shown, shown, 3)
