"""Destruction against the definition in plain loops: bounds, distribution, inversion, odd sizes and grids."""

import pickle
import random

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2_contingency, chisquare

from finegrained_crl_plugins.dcl.destruction import (
    WorkerDestruction,
    bubbled,
    invert,
    jittered,
    permutations,
    picture_permutation,
    random_permutations,
    shuffle_blocks,
    shuffle_picture,
    without_border,
)

SIZES = [(448, 448, 7), (100, 76, 7), (100, 76, 3), (64, 64, 2), (33, 50, 5), (7, 7, 7), (224, 448, 4)]


def sorted_by_jitter(keys_of_rows):
    """The paper's sort, one row at a time: the old place of each new one."""
    return [sorted(range(len(keys)), key=lambda place: keys[place]) for keys in keys_of_rows]


def slow_permutation(noise, reach):
    """Rows, then columns, block by block, from the definition."""
    grid = len(noise[0])
    blocks = [[row * grid + column for column in range(grid)] for row in range(grid)]
    orders = sorted_by_jitter([[i + reach * (r - 0.5) for i, r in enumerate(row)] for row in noise[0]])
    blocks = [[blocks[row][old] for old in orders[row]] for row in range(grid)]
    orders = sorted_by_jitter([[i + reach * (r - 0.5) for i, r in enumerate(column)] for column in noise[1]])
    return [blocks[orders[column][row]][column] for row in range(grid) for column in range(grid)]


def slow_destruction(image, permutation, grid):
    """Block by block; image (height, width, ..)."""
    high, wide = image.shape[0] // grid, image.shape[1] // grid
    top, left = (image.shape[0] - high * grid) // 2, (image.shape[1] - wide * grid) // 2
    out = image.copy()
    for place, block in enumerate(permutation):
        (y, x), (v, u) = divmod(place, grid), divmod(int(block), grid)
        for i in range(high):
            for j in range(wide):
                out[top + y * high + i, left + x * wide + j] = image[top + v * high + i, left + u * wide + j]
    return out


def shifts(permutation, grid):
    """Row and column displacement of every block, (count, grid, grid) each."""
    source = permutation.view(-1, grid, grid)
    rows, columns = torch.meshgrid(torch.arange(grid), torch.arange(grid), indexing="ij")
    return source // grid - rows, source % grid - columns


@given(st.integers(2, 9), st.integers(2, 12), st.integers(0, 2**31))
def test_permutations_are_the_slow_loops_and_bounded(grid, reach, seed):
    noise = torch.rand(3, 2, grid, grid, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    found = permutations(noise, reach)
    assert found.tolist() == [slow_permutation(n.tolist(), reach) for n in noise]
    assert all(int(shift.abs().max()) < reach for shift in shifts(found, grid))


@given(st.integers(1, 10), st.floats(0, 1, exclude_max=True), st.floats(0, 1, exclude_max=True))
def test_the_bound_holds_for_the_worst_noise_in_float32(reach, low, high):
    noise = torch.tensor([[high, low] * 10, [low, high] * 10, [0.0, 1 - 2**-24] * 10, [1 - 2**-24, 0.0] * 10])
    assert int((jittered(noise, reach) - torch.arange(20)).abs().max()) < reach


@given(st.integers(2, 9), st.integers(2, 12), st.integers(0, 2**31))
def test_a_workers_permutation_is_the_batchs(grid, reach, seed):
    noise = torch.rand(1, 2, grid, grid, generator=torch.Generator().manual_seed(seed))
    assert picture_permutation(noise[0].numpy(), reach).tolist() == permutations(noise, reach)[0].tolist()


def test_the_bound_is_reached():
    torch.manual_seed(0)
    rows, columns = shifts(random_permutations(20_000, 7, 4), 7)
    assert (rows.abs().max(), columns.abs().max(), rows.min(), columns.min()) == (3, 3, -3, -3)


@pytest.mark.parametrize("shuffle", ["paper", "repository"])
@pytest.mark.parametrize("grid", [2, 3, 5, 7])
def test_every_block_once_and_exactly_invertible(grid, shuffle):
    torch.manual_seed(0)
    found = random_permutations(200, grid, 4, shuffle)
    assert found.dtype == torch.int64
    assert torch.equal(found.sort(1).values, torch.arange(grid * grid).expand(200, -1))
    assert torch.equal(found.gather(1, invert(found)), torch.arange(grid * grid).expand(200, -1))
    assert len({tuple(p) for p in found.tolist()}) >= 8  # all that whole rows of two allow


@pytest.mark.parametrize(("high", "wide", "grid"), SIZES)
def test_batch_worker_and_slow_loop_agree_and_undo(high, wide, grid):
    torch.manual_seed(0)
    images = torch.randint(0, 256, (2, 3, high, wide), dtype=torch.uint8)
    found = random_permutations(2, grid, 4)
    destroyed = shuffle_blocks(images, found, grid)
    for image, permutation, result in zip(images, found, destroyed, strict=True):
        pixels = image.permute(1, 2, 0).contiguous().numpy()
        worker = shuffle_picture(pixels, permutation.numpy(), grid)
        np.testing.assert_array_equal(worker, result.permute(1, 2, 0).numpy())
        if high * wide < 10_000:
            np.testing.assert_array_equal(worker, slow_destruction(pixels, permutation, grid))
    assert torch.equal(shuffle_blocks(destroyed, invert(found), grid), images)


def test_each_picture_has_its_own_shuffle_in_any_layout():
    torch.manual_seed(1)
    images = torch.rand(1, 3, 28, 35).expand(4, -1, -1, -1)
    found = random_permutations(4, 7, 4)
    destroyed = shuffle_blocks(images, found, 7)
    last = shuffle_blocks(images.contiguous(memory_format=torch.channels_last), found, 7)
    assert torch.equal(destroyed, last)
    assert len({tuple(image.flatten().tolist()) for image in destroyed}) == 4


def counts(values, bound):
    return [int((values == shift).sum()) for shift in range(-bound + 1, bound)]


@pytest.mark.parametrize(("grid", "reach"), [(7, 4), (5, 2), (7, 3)])
def test_displacements_are_distributed_as_the_definitions(grid, reach):
    """Chi-square, per axis, of one block per picture (blocks of one picture are not independent), middle and corner."""
    torch.manual_seed(3)
    fast = shifts(random_permutations(4000, grid, reach), grid)
    dice = random.Random(5)
    noise = [[[[dice.random() for _ in range(grid)] for _ in range(grid)] for _ in range(2)] for _ in range(4000)]
    slow = shifts(torch.tensor([slow_permutation(n, reach) for n in noise]), grid)
    for axis in (0, 1):
        for place in (0, grid // 2):
            table = np.array([counts(s[axis][:, place, place], reach) for s in (fast, slow)])
            table = table[:, table.sum(0) > 10]
            assert chi2_contingency(table).pvalue > 1e-3


def test_a_whole_picture_bound_makes_all_shifts_about_equally_likely():
    """The wider the jitter, the nearer the order of a row comes to uniform."""
    torch.manual_seed(4)
    first = jittered(torch.rand(20_000, 3), 10_000)
    seen = torch.bincount((first * torch.tensor([9, 3, 1])).sum(1), minlength=27)
    assert chisquare(seen[seen > 0].numpy()).pvalue > 1e-3
    assert int((seen > 0).sum()) == 6


def public_shuffle(grid, dice):
    """The public repository's order of a row, as pipelines.md and its loop describe it: the last two are shuffled after
    each append."""
    row = []
    for block in range(grid):
        row.append(block)
        pair = row[-2:]
        dice.shuffle(pair)
        row[-2:] = pair
    return row


def test_the_repository_mode_has_the_public_distribution():
    torch.manual_seed(6)
    dice = random.Random(7)
    fast = bubbled(torch.rand(8000, 7)) - torch.arange(7)
    slow = torch.tensor([public_shuffle(7, dice) for _ in range(8000)]) - torch.arange(7)
    for place in range(7):
        table = np.array([counts(s[:, place], 7) for s in (fast, slow)])
        table = table[:, table.sum(0) > 10]
        assert chi2_contingency(table).pvalue > 1e-3
    share = torch.bincount(fast.abs().flatten(), minlength=7) / fast.numel()
    assert share[:3].tolist() == pytest.approx(
        [0.32, 0.57, 0.06], abs=0.01
    )  # measured on the repository's own function
    assert share[6] > 0


def test_repository_rows_move_whole():
    torch.manual_seed(0)
    rows, columns = shifts(random_permutations(50, 7, 4, "repository"), 7)
    assert (rows == rows[:, :, :1]).all()
    assert (columns != columns[:, :1]).any()


@pytest.mark.parametrize("shuffle", ["paper", "repository"])
def test_a_worker_gives_the_pair_and_its_permutation(shuffle):
    make = pickle.loads(pickle.dumps(WorkerDestruction(5, 4, shuffle)))
    pixels = np.random.default_rng(0).integers(0, 256, (60, 52, 3), dtype=np.uint8)
    views, extras = make(pixels, np.random.default_rng(1))
    again, _ = make(pixels, np.random.default_rng(1))
    other, _ = make(pixels, np.random.default_rng(2))
    assert views.shape == (2, 60, 52, 3)
    assert views.dtype == np.uint8
    np.testing.assert_array_equal(views[0], pixels)
    np.testing.assert_array_equal(views, again)
    assert (views != other).any()
    if shuffle == "paper":
        np.testing.assert_array_equal(views[1], slow_destruction(pixels, extras["permutation"], 5))


def test_the_public_border():
    ramp = torch.arange(448.0).expand(1, 3, 448, 448)
    zoomed = without_border(ramp)
    assert zoomed.shape == ramp.shape
    assert zoomed[0, 0, 0, 0] == pytest.approx(10, abs=0.1)
    assert zoomed[0, 0, 0, -1] == pytest.approx(437, abs=0.1)


def test_the_repositorys_way_in_a_worker_is_its_way_in_a_batch():
    """Ten of 448 pixels off each side, scaled up, shuffled by the public distribution."""
    pixels = np.random.default_rng(0).integers(0, 256, (90, 90, 3), dtype=np.uint8)
    (intact, destroyed), extras = WorkerDestruction(3, 4, "repository")(pixels, np.random.default_rng(1))
    noise = torch.from_numpy(np.random.default_rng(1).random((1, 2, 3, 3), dtype=np.float32))
    permutation = permutations(noise, 4, "repository")
    assert np.array_equal(extras["permutation"], permutation[0].numpy())
    assert np.array_equal(intact, pixels)
    zoomed = without_border(torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float()).round()
    expected = shuffle_blocks(zoomed, permutation, 3)[0].permute(1, 2, 0).to(torch.uint8).numpy()
    assert np.array_equal(destroyed, expected)
    assert not np.array_equal(
        destroyed, shuffle_blocks(torch.from_numpy(pixels).permute(2, 0, 1)[None], permutation, 3)[0].permute(1, 2, 0)
    )
