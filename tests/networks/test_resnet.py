"""Sizes as published, and the same answer as the public CIFAR code written out here, at equal weights."""

import pytest
import timm
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from finegrained_crl.networks import register_networks
from finegrained_crl.training.backbone import Backbone
from finegrained_crl.training.method import ModelSpec

register_networks()
PUBLISHED = {  # parameters for ten classes, and millions of multiplications of a picture
    "cifar_resnet20": (272_474, 41),
    "cifar_resnet34": (21_282_122, 1_159),
    "cifar_resnet50": (23_520_842, 1_298),
    "cifar_resnet101": (42_512_970, 2_510),
    "cifar_preact_resnet164": (1_703_258, 248),
    "cifar_vgg16_bn": (14_728_266, 313),
    "cifar_vgg19_bn": (20_040_522, 398),
    "janocha_convnet": (1_250_858, 21),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameters_and_multiplications_as_published(name):
    net = timm.create_model(name, num_classes=10).eval()
    with FlopCounterMode(display=False) as counter:
        net(torch.zeros(1, 3, 32, 32))
    counted = (sum(p.numel() for p in net.parameters()), round(counter.get_total_flops() / 2e6))
    assert counted == PUBLISHED[name]


class PublicBlock(nn.Module):
    """A basic block as public CIFAR code has it."""

    def __init__(self, channels, width, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = nn.Sequential()
        if stride != 1 or channels != width:
            self.downsample = nn.Sequential(nn.Conv2d(channels, width, 1, stride, bias=False), nn.BatchNorm2d(width))

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(out)) + self.downsample(x))


class PublicResNet(nn.Module):
    def __init__(self, depths, first=64):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, first, 3, 1, 1, bias=False), nn.BatchNorm2d(first)
        channels = first
        for stage, depth in enumerate(depths):
            width, blocks = first * 2**stage, []
            for block in range(depth):
                blocks.append(PublicBlock(channels, width, 2 if stage > 0 and block == 0 else 1))
                channels = width
            setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(channels, 10)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = stage(x)
        return self.fc(F.avg_pool2d(x, 4).flatten(1))


@pytest.mark.parametrize(("name", "first"), [("cifar_resnet34", 64), ("cifar_resnet34_thin", 16)])
def test_resnet34_is_the_public_code_at_equal_weights(name, first):
    torch.manual_seed(0)
    net, public = timm.create_model(name, num_classes=10), PublicResNet([3, 4, 6, 3], first)
    public.load_state_dict(net.state_dict())
    images = torch.randn(4, 3, 32, 32)
    torch.testing.assert_close(net(images), public(images), rtol=1e-4, atol=1e-4)  # batch statistics
    torch.testing.assert_close(net.eval()(images), public.eval()(images), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("name", "stride", "side"), [("cifar_resnet20", 4, 8), ("cifar_resnet34", 8, 4)])
def test_maps_have_the_stride_that_timm_is_told(name, stride, side):
    backbone = Backbone(ModelSpec(name, 5, "none", 0.0, 0.0, 32), tap=stride).eval()
    final, tapped = backbone.with_tap(torch.randn(1, 3, 32, 32))
    assert final.shape[2:] == tapped.shape[2:] == (side, side)
    torch.testing.assert_close(final, tapped)


def test_normalisation_is_that_of_cifar():
    backbone = Backbone(ModelSpec("cifar_resnet20", 5, "none", 0.0, 0.0, 32))
    assert (backbone.mean, backbone.std) == ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616))


def test_residual_branches_are_not_switched_off_at_the_start():
    weights = [m.weight for m in timm.create_model("cifar_resnet20").modules() if isinstance(m, nn.BatchNorm2d)]
    assert all(bool((weight == 1).all()) for weight in weights)


def test_convolutions_of_the_pre_activation_network_start_by_what_they_give():
    net = timm.create_model("cifar_preact_resnet164")
    narrowing = [m for m in net.modules() if isinstance(m, nn.Conv2d) and m.in_channels == 4 * m.out_channels]
    assert len(narrowing) > 40
    for conv in narrowing:
        assert conv.weight.std().item() == pytest.approx((2 / conv.out_channels) ** 0.5, rel=0.15)
