"""Compact bilinear pooling: a random sketch of the bilinear matrix that keeps inner products on average.

Each channel i of a stream gets a random bin h(i) and sign s(i); the tensor sketch of an outer product adds x_i y_j s(i)
s'(j) into bin (h(i) + h'(j)) mod d. 262,144 values become 8,192, and the classifier over them shrinks as much.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class TensorSketch(nn.Module):
    """Sketch of (batch, channels_a, channels_b) bilinear matrices.

    The usual way takes Fourier transforms of both streams at every position, batch x positions x d numbers. The sketch
    is linear, so
    it may as well be taken once, of the pooled matrix: the same values from batch x channels_a x channels_b numbers.

    Args:
        channels_a: of the first stream.
        channels_b: of the second stream.
        dim: size d of the sketch; the paper takes 8,192 for 512 channels.
        seed: of bins and signs; they are saved with the weights.
    Source: Gao et al., 2016, Compact Bilinear Pooling, algorithm 2; Pham and Pagh, 2013.
    """

    def __init__(self, channels_a: int, channels_b: int, dim: int = 8192, seed: int = 0) -> None:
        super().__init__()
        random = torch.Generator().manual_seed(seed)
        bins = [torch.randint(dim, (channels,), generator=random) for channels in (channels_a, channels_b)]
        signs = [torch.randint(2, (channels,), generator=random) * 2.0 - 1.0 for channels in (channels_a, channels_b)]
        self.dim = dim
        self.bin: Tensor
        self.sign: Tensor
        self.register_buffer("bin", ((bins[0][:, None] + bins[1][None, :]) % dim).flatten())
        self.register_buffer("sign", (signs[0][:, None] * signs[1][None, :]).flatten())

    def forward(self, pooled: Tensor) -> Tensor:
        """(batch, channels_a, channels_b) -> (batch, dim)."""
        out = pooled.new_zeros(len(pooled), self.dim)
        return out.index_add(1, self.bin, pooled.flatten(1) * self.sign)
