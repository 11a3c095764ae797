"""Grad-CAM against its definition, for maps, channels-last maps and tokens."""

import numpy as np
import pytest
import torch
from torch import nn

from finegrained_crl.training.criteria import build_criteria
from finegrained_crl.training.explain import as_maps, grad_cam
from finegrained_crl.training.method import FineGrainedModel, ModelSpec, Outputs
from finegrained_crl.training.recipe import Component
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
    heat = grad_cam(trainee(Plain(), TwoMaps()), image, 0)
    expected = np.zeros((4, 4))
    expected[1, 2] = 1.0  # the first colour speaks for class 0, the second against it
    assert heat == pytest.approx(expected)
    other = grad_cam(trainee(Plain(), TwoMaps()), image, 1)
    assert np.unravel_index(other.argmax(), other.shape) == (3, 3)


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
