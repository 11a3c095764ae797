"""Pre-activation ResNet-164 for 32 pixels: three stages of 18 bottlenecks.

Source: He et al. 2016, Identity Mappings in Deep Residual Networks, section 4 (1.7 M parameters). The stride is on the
3 x 3 convolution, as in timm; the parameters are the same.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from timm.layers import BatchNormAct2d, ClassifierHead, create_conv2d
from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from timm.models.resnetv2 import ResNetV2
from torch import nn

from finegrained_crl.networks.config import small_picture_config

STEM_CHANNELS = 16


class SmallPicturePreActResNet(ResNetV2):
    """A timm ResNetV2 with batch norm whose stem keeps the picture's size.

    Args:
        layers: bottlenecks in each of three stages, of 64, 128 and 256 channels.
        options: timm's own.
    """

    def __init__(self, layers: list[int], **options: Any) -> None:
        super().__init__(
            layers,
            channels=(64, 128, 256),
            stem_chs=STEM_CHANNELS,
            conv_layer=create_conv2d,
            norm_layer=BatchNormAct2d,
            **options,
        )
        stem = nn.Conv2d(self.in_chans, STEM_CHANNELS, 3, padding=1, bias=False)
        self.stem = nn.Sequential(OrderedDict(conv=stem))
        # timm's own head is a 1 x 1 convolution, which needs maps where others take pooled features.
        self.head = ClassifierHead(self.num_features, self.num_classes, drop_rate=self.drop_rate)
        self.init_weights(zero_init_last=False)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        for stage in self.feature_info:
            stage["reduction"] = max(1, stage["reduction"] // 4)


default_cfgs = generate_default_cfgs({"cifar_preact_resnet164.untrained": small_picture_config("stem.conv", "head.fc")})


@register_model
def cifar_preact_resnet164(pretrained: bool = False, **options: Any) -> nn.Module:
    """Pre-activation ResNet-164 of 1.70 M parameters."""
    layout = {"layers": [18, 18, 18]}
    net: nn.Module = build_model_with_cfg(
        SmallPicturePreActResNet, "cifar_preact_resnet164", pretrained, **layout, **options
    )
    return net
