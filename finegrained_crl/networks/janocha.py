"""The plain network of the CRL paper's Table II: four convolutions, two dense layers, pooling and dropout.

Source: Janocha and Czarnecki 2017, On Loss Functions for Deep Neural Networks in Classification. Widths and dropout
rates are in neither paper; these are those of the CIFAR-10 example that Keras shipped, which has that shape
(reconstructed).
"""

from __future__ import annotations

from typing import Any

import torch
from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from timm.models._features import feature_take_indices
from torch import Tensor, nn

from finegrained_crl.networks.config import small_picture_config

WIDTHS, HIDDEN, FLAT_SIDE = (32, 64), 512, 6
CONV_DROPOUT, DENSE_DROPOUT = 0.25, 0.5


class JanochaConvNet(nn.Module):
    """Two blocks of two convolutions, a pooling and dropout; then a hidden layer, dropout, and the classifier.

    Args:
        num_classes: outputs.
        in_chans: channels of a picture.
        drop_rate: dropout of the hidden layer; 0 (what a recipe says by default) means the network's own 0.5.
    Attributes:
        num_features: channels of the final maps; head_hidden_size: of what the classifier sees.
        feature_info: the two blocks, as timm describes its networks' stages.
    """

    def __init__(self, num_classes: int = 10, in_chans: int = 3, drop_rate: float = 0.0) -> None:
        super().__init__()
        self.num_classes, self.in_chans = num_classes, in_chans
        self.num_features, self.head_hidden_size = WIDTHS[-1], HIDDEN
        self.block1, self.block2 = _block(in_chans, WIDTHS[0]), _block(WIDTHS[0], WIDTHS[1])
        self.feature_info = [
            {"num_chs": width, "reduction": 2**stage, "module": f"block{stage}"}
            for stage, width in enumerate(WIDTHS, start=1)
        ]
        # 32 pixels come here as 6 x 6; other sizes are brought to it.
        self.pool = nn.AdaptiveAvgPool2d(FLAT_SIDE)
        self.hidden = nn.Sequential(
            nn.Linear(WIDTHS[-1] * FLAT_SIDE**2, HIDDEN), nn.ReLU(inplace=True), nn.Dropout(drop_rate or DENSE_DROPOUT)
        )
        self.fc = nn.Linear(HIDDEN, num_classes)

    def get_classifier(self) -> nn.Module:
        """The last layer."""
        return self.fc

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """Another last layer; without one for 0 classes."""
        self.num_classes = num_classes
        self.fc = nn.Linear(HIDDEN, num_classes) if num_classes else nn.Identity()  # type: ignore[assignment]

    def forward_features(self, x: Tensor) -> Tensor:
        """Maps, (batch, 64, height, width)."""
        return torch.as_tensor(self.block2(self.block1(x)))

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """Logits of the maps, or the hidden layer's features, (batch, 512)."""
        features = self.hidden(self.pool(x).flatten(1))
        return torch.as_tensor(features if pre_logits else self.fc(features))

    def forward(self, x: Tensor) -> Tensor:
        """Logits, (batch, classes), of pictures (batch, channels, height, width)."""
        return self.forward_head(self.forward_features(x))

    def forward_intermediates(
        self,
        x: Tensor,
        indices: int | list[int] | None = None,
        norm: bool = False,
        stop_early: bool = False,
        output_fmt: str = "NCHW",
        intermediates_only: bool = False,
    ) -> Any:
        """The maps of chosen blocks, and the final ones before them unless `intermediates_only` (timm's interface)."""
        taken, _ = feature_take_indices(len(WIDTHS), indices)
        stages = [self.block1(x)]
        stages.append(self.block2(stages[0]))
        chosen = [stages[index] for index in taken]
        return chosen if intermediates_only else (stages[-1], chosen)


def _block(channels: int, width: int) -> nn.Sequential:
    """The second convolution has no padding, as in Keras' example."""
    return nn.Sequential(
        nn.Conv2d(channels, width, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(width, width, 3),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Dropout(CONV_DROPOUT),
    )


default_cfgs = generate_default_cfgs({"janocha_convnet.untrained": small_picture_config("block1.0", "fc")})


@register_model
def janocha_convnet(pretrained: bool = False, **options: Any) -> nn.Module:
    """Four convolutions and two dense layers, 1.25 M parameters."""
    net: nn.Module = build_model_with_cfg(JanochaConvNet, "janocha_convnet", pretrained, **options)
    return net
