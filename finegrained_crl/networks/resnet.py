"""ResNets for 32 pixels: a 3 x 3 stem of stride 1 and no max-pooling; otherwise timm's.

Source: He et al. 2015, Deep Residual Learning, sections 3.3 and 4.2. ResNet-20 has the three narrow stages of section
4.2 (with projections where the width changes, so 272,474 parameters for ten classes; the paper's shortcuts without
parameters give 269,722). ResNet-34, 50 and 101 keep the four stages of ImageNet, as public CIFAR code does;
`cifar_resnet34_thin` starts at 16 channels, as what is called ResNet34 in the code that the authors of CRL released.
"""

from __future__ import annotations

from typing import Any

from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from timm.models.resnet import BasicBlock, Bottleneck, ResNet
from torch import nn

from finegrained_crl.networks.config import small_picture_config


class SmallPictureResNet(ResNet):
    """A timm ResNet whose stem keeps the picture's size; every stage's stride is a quarter of the usual.

    Args:
        block: timm's basic or bottleneck block.
        layers: blocks in each of three or four stages.
        width: channels of the stem and of the first stage's 3 x 3 convolutions; doubled from stage to stage.
        options: timm's own.
    """

    def __init__(self, block: Any, layers: list[int], *, width: int = 64, **options: Any) -> None:
        channels = tuple(width * 2**stage for stage in range(len(layers)))
        # Only a deep stem's width can be chosen in timm; the stem itself is replaced.
        super().__init__(
            block, layers, channels=channels, stem_type="deep", stem_width=width // 2, zero_init_last=False, **options
        )
        self.conv1 = nn.Conv2d(self.in_chans, width, 3, padding=1, bias=False)
        nn.init.kaiming_normal_(self.conv1.weight, mode="fan_out", nonlinearity="relu")
        self.maxpool = nn.Identity()
        if len(layers) == 3:
            self.layer4 = nn.Sequential()  # timm passes through four by name
        for stage in self.feature_info:
            stage["reduction"] = max(1, stage["reduction"] // 4)


default_cfgs = generate_default_cfgs(
    {
        f"cifar_resnet{name}.untrained": small_picture_config("conv1", "fc")
        for name in ("20", "34", "34_thin", "50", "101")
    }
)


def _create(variant: str, pretrained: bool, options: dict[str, Any], **layout: Any) -> nn.Module:
    net: nn.Module = build_model_with_cfg(SmallPictureResNet, variant, pretrained, **layout, **options)
    return net


@register_model
def cifar_resnet20(pretrained: bool = False, **options: Any) -> nn.Module:
    """ResNet-20 of 0.27 M parameters."""
    return _create("cifar_resnet20", pretrained, options, block=BasicBlock, layers=[3, 3, 3], width=16)


@register_model
def cifar_resnet34(pretrained: bool = False, **options: Any) -> nn.Module:
    """ResNet-34, stages of 64 to 512 channels."""
    return _create("cifar_resnet34", pretrained, options, block=BasicBlock, layers=[3, 4, 6, 3])


@register_model
def cifar_resnet34_thin(pretrained: bool = False, **options: Any) -> nn.Module:
    """ResNet-34, stages of 16 to 128 channels: "ResNet34" in the code that the authors of CRL released."""
    return _create("cifar_resnet34_thin", pretrained, options, block=BasicBlock, layers=[3, 4, 6, 3], width=16)


@register_model
def cifar_resnet50(pretrained: bool = False, **options: Any) -> nn.Module:
    """ResNet-50, bottlenecks of 256 to 2048 channels."""
    return _create("cifar_resnet50", pretrained, options, block=Bottleneck, layers=[3, 4, 6, 3])


@register_model
def cifar_resnet101(pretrained: bool = False, **options: Any) -> nn.Module:
    """ResNet-101, bottlenecks of 256 to 2048 channels."""
    return _create("cifar_resnet101", pretrained, options, block=Bottleneck, layers=[3, 4, 23, 3])
