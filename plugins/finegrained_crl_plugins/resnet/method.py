"""Plain fine-tuning: a timm classifier with a new head, one criterion on its logits."""

from __future__ import annotations

from typing import ClassVar

from finegrained_crl.training.timm_classifier import PlainFineTuning


class ResNet(PlainFineTuning):
    """Fine-tunes any timm classifier (named for the paper's ResNets)."""

    summary: ClassVar[str] = "plain fine-tuning of any timm classifier with a new head (the paper's ResNets)"


method = ResNet
