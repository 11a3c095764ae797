"""Patch selection and clustering: against loops, on planted patches, and at the edges."""

import numpy as np
import pytest
import torch

from finegrained_crl_plugins.dfl.patches import PatchPool, cluster, energetic_patches, whitened_filters


def slow_peaks(energy, most, radius):
    """Greedy reading of "no neighbour has more": positions (y, x), highest first."""
    high, wide = energy.shape
    order = sorted((-float(energy[y, x]), y, x) for y in range(high) for x in range(wide))
    rank = {(y, x): i for i, (_, y, x) in enumerate(order)}
    peaks = []
    for _, y, x in order:
        near = [
            (v, u)
            for v in range(y - radius, y + radius + 1)
            for u in range(x - radius, x + radius + 1)
            if (v, u) in rank
        ]
        if all(rank[y, x] <= rank[p] for p in near):
            peaks.append((y, x))
    return peaks[:most]


@pytest.mark.parametrize("radius", [1, 2])
@pytest.mark.parametrize(("high", "wide", "most"), [(8, 6, 3), (5, 5, 50), (1, 1, 4), (2, 9, 2)])
def test_patches_are_the_loops(high, wide, most, radius):
    torch.manual_seed(0)
    maps = torch.randn(3, 4, high, wide)
    for one, found in zip(maps, energetic_patches(maps, most, radius), strict=True):
        expected = torch.stack([one[:, y, x] for y, x in slow_peaks(one.norm(dim=0), most, radius)])
        torch.testing.assert_close(found, expected)


def test_a_flat_picture_gives_no_field_of_equal_patches():
    (found,) = energetic_patches(torch.ones(1, 3, 6, 6), most=36)
    assert found.shape == (1, 3)


def test_fewer_patches_than_filters_are_repeated():
    patches = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    found = cluster(patches, 5)
    assert found.shape == (5, 2)
    assert {tuple(row) for row in found} == {(1.0, 0.0), (0.0, 1.0)}


def test_clustering_is_deterministic_and_finds_the_groups():
    random = np.random.default_rng(0)
    groups = np.eye(6)[:4] * 5
    patches = np.concatenate([groups[i] + 0.1 * random.normal(size=(10 * (i + 1), 6)) for i in range(4)])
    found = cluster(patches, 4)
    np.testing.assert_array_equal(found, cluster(patches, 4))
    np.testing.assert_allclose(found, groups[::-1], atol=0.2)  # largest cluster first


def test_whitened_filters_are_the_formula_at_length_one():
    random = np.random.default_rng(0)
    patches = random.normal(size=(500, 5)) * [1, 2, 3, 4, 5] + 7
    mean, covariance = patches.mean(0), np.cov(patches.T)
    weight = whitened_filters(patches[:3], mean, covariance)
    np.testing.assert_allclose(np.linalg.norm(weight, axis=1), 1)
    exact = np.linalg.inv(covariance + 0.01 * np.trace(covariance) / 5 * np.eye(5)) @ (patches[:3] - mean).T
    np.testing.assert_allclose(weight, (exact / np.linalg.norm(exact, axis=0)).T, atol=1e-9)


def test_a_singular_covariance_is_no_problem():
    patches = np.random.default_rng(0).normal(size=(4, 50))
    weight = whitened_filters(patches, patches.mean(0), np.cov(patches.T))
    assert np.isfinite(weight).all()


def test_the_pool_is_bounded_uniform_and_its_statistics_are_exact():
    random = np.random.default_rng(0)
    patches = random.normal(loc=[1, 2, 3], size=(1000, 3))
    pool = PatchPool(num_classes=2, per_class=100)
    for start in range(0, 1000, 10):
        pool.add(1, patches[start : start + 10])
    assert [len(kept) for kept in pool.kept] == [0, 100]
    assert pool.kept[1][0].dtype == np.float32
    mean, covariance = pool.statistics()
    np.testing.assert_allclose(mean, patches.mean(0))
    np.testing.assert_allclose(covariance, np.cov(patches.T, bias=True), atol=1e-9)
    assert pool.size() == pytest.approx(np.sqrt(np.mean(patches**2)))
    kept = {round(float(patch[0]), 4) for patch in pool.kept[1]}
    places = [i for i, patch in enumerate(patches) if round(float(np.float32(patch[0])), 4) in kept]
    assert 380 < np.mean(places) < 620  # a uniform sample: 500 +- 29


def test_the_pool_is_deterministic():
    patches = np.random.default_rng(0).normal(size=(300, 3))
    first, second = PatchPool(1, 20), PatchPool(1, 20)
    for pool in (first, second):
        pool.add(0, patches)
    np.testing.assert_array_equal(np.stack(first.kept[0]), np.stack(second.kept[0]))
