"""Age groups: a fine-tuned timm classifier that says how it chooses a group from the probabilities."""

from __future__ import annotations

from typing import ClassVar, get_args

from finegrained_crl.errors import FinegrainedError, nearest
from finegrained_crl.metrics.ordinal import Decoder
from finegrained_crl.training.timm_classifier import PlainFineTuning


class AgeGroups(PlainFineTuning):
    """Fine-tunes any timm classifier on ordered groups.

    Args:
        decoder: group chosen from the probabilities: the most probable one (argmax), the median, or the rounded mean.
    """

    summary: ClassVar[str] = "age groups: a fine-tuned ResNet with a declared decoder (argmax, median, mean)"

    def __init__(self, decoder: Decoder = "argmax") -> None:
        if decoder not in get_args(Decoder):
            raise FinegrainedError(f"--method.decoder {decoder}: {nearest(str(decoder), get_args(Decoder))}")
        self.decoder = decoder


method = AgeGroups
