"""Bilinear pooling: the outer product of two streams of features, averaged over the image, and how it is normalised.

With x_l and y_l the features of the two streams at position l, B = (1/L) sum_l x_l y_l^T. Where the streams are the
same network, B is the (uncentred) covariance of its features: which channels fire together, wherever they do.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def bilinear_pool(a: Tensor, b: Tensor) -> Tensor:
    """Mean outer product over all positions.

    Args:
        a: float, (batch, channels_a, height, width).
        b: float, (batch, channels_b, height, width), the other stream, or `a` again.
    Returns:
        float32, (batch, channels_a, channels_b).
    Source: Lin et al., 2015, Bilinear CNN Models for Fine-grained Visual Recognition, section 3.

    >>> maps = torch.tensor([[[[1.0, 2.0]], [[0.0, 1.0]]]])
    >>> bilinear_pool(maps, maps).tolist()
    [[[2.5, 1.0], [1.0, 0.5]]]
    """
    # Sums of hundreds of products: half precision would lose them.
    with torch.autocast(a.device.type, enabled=False):
        x, y = a.flatten(2).float(), b.flatten(2).float()
        return x @ y.transpose(1, 2) / x.shape[2]


def signed_sqrt(x: Tensor, epsilon: float = 1e-5) -> Tensor:
    """sign(x) sqrt(|x| + epsilon), element by element; 0 counts as positive.

    The epsilon bounds the slope at 0, which would be infinite. For non-negative x it is the form of the public PyTorch
    code.

    >>> signed_sqrt(torch.tensor([4.0, -9.0]), epsilon=0.0).tolist()
    [2.0, -3.0]
    """
    root = (x.abs() + epsilon).sqrt()
    return torch.where(x < 0, -root, root)


def normalised(pooled: Tensor, epsilon: float) -> Tensor:
    """Signed square root, then L2: (batch, ..) -> (batch, values), each row of length one."""
    return F.normalize(signed_sqrt(pooled.flatten(1), epsilon))
