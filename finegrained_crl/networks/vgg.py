"""VGG with batch norm for 32 pixels: the convolutions of VGG, then one linear layer on their 512 channels.

Source: Simonyan and Zisserman 2015, Very Deep Convolutional Networks, configurations D and E; without the layers of
4096, whose 120 M parameters were made for maps of 7 x 7, as public CIFAR code has it.
"""

from __future__ import annotations

from typing import Any

from timm.layers import ClassifierHead
from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from timm.models.vgg import VGG, cfgs
from torch import nn

from finegrained_crl.networks.config import small_picture_config

SMALLEST_RATIO = 1 / 4096


class SmallPictureVGG(VGG):
    """timm's VGG without its fully connected layers.

    Args:
        cfg: widths of the convolutions, "M" for a max-pooling.
        options: timm's own.
    """

    def __init__(self, cfg: list[Any], **options: Any) -> None:
        # timm builds the layers that are dropped here; one channel of them costs nothing.
        super().__init__(cfg, norm_layer=nn.BatchNorm2d, mlp_ratio=SMALLEST_RATIO, **options)
        self.pre_logits = nn.Identity()
        self.head = ClassifierHead(self.num_features, self.num_classes, drop_rate=self.drop_rate)
        self.head_hidden_size = self.num_features


default_cfgs = generate_default_cfgs(
    {f"cifar_vgg{depth}_bn.untrained": small_picture_config("features.0", "head.fc") for depth in (16, 19)}
)


@register_model
def cifar_vgg16_bn(pretrained: bool = False, **options: Any) -> nn.Module:
    """VGG-16 with batch norm."""
    net: nn.Module = build_model_with_cfg(SmallPictureVGG, "cifar_vgg16_bn", pretrained, cfg=cfgs["vgg16"], **options)
    return net


@register_model
def cifar_vgg19_bn(pretrained: bool = False, **options: Any) -> nn.Module:
    """VGG-19 with batch norm."""
    net: nn.Module = build_model_with_cfg(SmallPictureVGG, "cifar_vgg19_bn", pretrained, cfg=cfgs["vgg19"], **options)
    return net
