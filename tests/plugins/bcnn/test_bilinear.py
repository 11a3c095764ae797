"""Bilinear pooling against two loops over channels and one over positions, its normalisations against definitions."""

import pytest
import torch
from torch.autograd import gradcheck

from finegrained_crl_plugins.bcnn.bilinear import bilinear_pool, normalised, signed_sqrt
from finegrained_crl_plugins.bcnn.matrix_sqrt import covariance, matrix_sqrt, upper_triangle
from finegrained_crl_plugins.bcnn.tensor_sketch import TensorSketch


def maps(channels, *, seed=0, height=3, width=5, batch=2):
    return torch.randn(batch, channels, height, width, generator=torch.Generator().manual_seed(seed))


def test_bilinear_pooling_is_the_mean_outer_product():
    a, b = maps(4), maps(6, seed=1)
    expected = torch.zeros(2, 4, 6)
    for i in range(4):
        for j in range(6):
            for row in range(3):
                for column in range(5):
                    expected[:, i, j] += a[:, i, row, column] * b[:, j, row, column] / 15
    torch.testing.assert_close(bilinear_pool(a, b), expected)


def test_half_precision_maps_are_pooled_in_float32():
    a = maps(4, height=40, width=40).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        pooled = bilinear_pool(a, a)
    assert pooled.dtype == torch.float32
    torch.testing.assert_close(pooled, bilinear_pool(a.float(), a.float()))


def test_signed_root_keeps_the_sign_and_a_bounded_slope():
    x = torch.tensor([-4.0, -1e-9, 0.0, 4.0], requires_grad=True)
    y = signed_sqrt(x)
    torch.testing.assert_close(y.detach(), torch.tensor([-2.0, -(1e-5**0.5), 1e-5**0.5, 2.0]), atol=1e-5, rtol=1e-4)
    y.sum().backward()
    assert torch.isfinite(x.grad).all()
    assert x.grad.abs().max() <= 0.5 / 1e-5**0.5 + 1e-3


def test_the_vector_has_length_one():
    vector = normalised(bilinear_pool(maps(4), maps(4)), 1e-5)
    assert vector.shape == (2, 16)
    torch.testing.assert_close(vector.norm(dim=1), torch.ones(2))


def test_matrix_root_squared_is_the_covariance():
    sigma = covariance(maps(5, height=20, width=20))
    x = maps(5, height=20, width=20).flatten(2)
    torch.testing.assert_close(sigma, torch.stack([torch.cov(one, correction=0) for one in x]))
    root = matrix_sqrt(sigma, iterations=12)
    torch.testing.assert_close(root @ root, sigma, atol=1e-4, rtol=1e-3)
    values, vectors = torch.linalg.eigh(sigma)
    torch.testing.assert_close(
        root, vectors @ torch.diag_embed(values.sqrt()) @ vectors.transpose(1, 2), atol=1e-3, rtol=1e-3
    )


def test_five_iterations_come_close_on_a_hard_spectrum():
    basis = torch.linalg.qr(torch.randn(8, 8, generator=torch.Generator().manual_seed(0))).Q
    sigma = (basis * torch.logspace(0, -2, 8)) @ basis.T
    root = matrix_sqrt(sigma[None], 5)[0]
    assert (root @ root - sigma).norm() / sigma.norm() < 0.05


def test_matrix_root_survives_few_positions_and_a_zero_matrix():
    low_rank = covariance(maps(12, height=1, width=3)).requires_grad_()
    root = matrix_sqrt(low_rank)
    root.sum().backward()
    assert torch.isfinite(low_rank.grad).all()
    assert torch.equal(matrix_sqrt(torch.zeros(1, 3, 3)), torch.zeros(1, 3, 3))


def test_gradient_of_the_matrix_root():
    sigma = covariance(maps(3, height=4, width=4, batch=1)).double().requires_grad_()
    assert gradcheck(lambda s: upper_triangle(matrix_sqrt(s, 4)), (sigma,), atol=1e-4)


def test_upper_triangle_holds_each_pair_once():
    assert upper_triangle(torch.arange(9.0).view(1, 3, 3)).tolist() == [[0, 1, 2, 4, 5, 8]]


def test_sketch_equals_the_fourier_form_of_the_paper():
    a, b, dim = maps(6), maps(4, seed=1), 16
    sketch = TensorSketch(6, 4, dim, seed=3)
    random = torch.Generator().manual_seed(3)
    bins = [torch.randint(dim, (c,), generator=random) for c in (6, 4)]
    signs = [torch.randint(2, (c,), generator=random) * 2.0 - 1.0 for c in (6, 4)]
    expected = torch.zeros(2, dim)
    for row in range(3):
        for column in range(5):
            counts = [torch.zeros(2, dim), torch.zeros(2, dim)]
            for count, stream, h, s in zip(counts, (a, b), bins, signs, strict=True):
                for channel in range(stream.shape[1]):
                    count[:, h[channel]] += s[channel] * stream[:, channel, row, column]
            expected += torch.fft.irfft(torch.fft.rfft(counts[0]) * torch.fft.rfft(counts[1]), n=dim) / 15
    torch.testing.assert_close(sketch(bilinear_pool(a, b)), expected, atol=1e-5, rtol=1e-4)


def test_sketches_keep_inner_products_on_average():
    x, y = bilinear_pool(maps(8), maps(8)), bilinear_pool(maps(8, seed=5), maps(8, seed=5))
    exact = (x * y).sum((1, 2))
    sketched = torch.stack([(s(x) * s(y)).sum(1) for s in (TensorSketch(8, 8, 64, seed) for seed in range(400))])
    error = sketched.std(0) / 400**0.5
    assert ((sketched.mean(0) - exact).abs() < 4 * error).all()


@pytest.mark.parametrize("seed", [0, 1])
def test_bins_and_signs_travel_with_the_weights(seed):
    one, other = TensorSketch(4, 4, 8, seed), TensorSketch(4, 4, 8, seed + 1)
    other.load_state_dict(one.state_dict())
    x = torch.randn(2, 4, 4)
    assert torch.equal(one(x), other(x))
