"""Age groups: a fine-tuned timm classifier that says how it chooses a group from the probabilities."""

from __future__ import annotations

from typing import ClassVar

from finegrained_crl.metrics.ordinal import Decoder
from finegrained_crl.training.method import require_choice
from finegrained_crl.training.timm_classifier import PlainFineTuning


class AgeGroups(PlainFineTuning):
    """Fine-tunes any timm classifier on ordered groups.

    Args:
        decoder: group chosen from the probabilities: the most probable one (argmax), the median, or the rounded mean.
    """

    summary: ClassVar[str] = "age groups: a fine-tuned ResNet with a declared decoder (argmax, median, mean)"

    def __init__(self, decoder: Decoder = "argmax") -> None:
        require_choice("decoder", decoder, Decoder)
        self.decoder = decoder


method = AgeGroups
