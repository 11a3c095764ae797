"""Construction targets are exact; the public guess is a guess; the head fits every size."""

import pytest
import torch
from torch import nn

from finegrained_crl_plugins.dcl.construction import ConstructionHead, guessed_permutation, law_target
from finegrained_crl_plugins.dcl.destruction import random_permutations, shuffle_blocks


@pytest.mark.parametrize("grid", [2, 3, 5, 7])
def test_targets_say_where_each_block_comes_from(grid):
    """Paint every block with its own number, destroy, and read the target off the picture."""
    torch.manual_seed(0)
    number = torch.arange(grid * grid).view(1, 1, grid, grid).repeat_interleave(6, 2).repeat_interleave(4, 3)
    permutation = random_permutations(20, grid, 4)
    destroyed = shuffle_blocks(number.expand(20, -1, -1, -1), permutation, grid)[:, 0, ::6, ::4]
    one = law_target(permutation, grid, "one-channel").view(20, grid, grid)
    torch.testing.assert_close(one, (destroyed - grid**2 // 2) / grid**2)
    two = law_target(permutation, grid, "two-channel").view(20, 2, grid, grid)
    torch.testing.assert_close(two[:, 0] * grid, (destroyed // grid + 1).float())
    torch.testing.assert_close(two[:, 1] * grid, (destroyed % grid + 1).float())


def test_the_public_numbers():
    target = law_target(torch.arange(49).unsqueeze(0), 7, "one-channel")
    assert target[0].tolist() == pytest.approx([(i - 24) / 49 for i in range(49)])


def test_the_guess_finds_distinct_colours_and_repeats_equal_ones():
    torch.manual_seed(0)
    std = (0.2, 0.3, 0.4)
    colours = torch.rand(4, 3, 5, 5).repeat_interleave(4, 2).repeat_interleave(4, 3)
    intact = (colours - 0.5) / torch.tensor(std).view(1, 3, 1, 1)
    permutation = random_permutations(4, 5, 4)
    assert torch.equal(guessed_permutation(intact, shuffle_blocks(intact, permutation, 5), 5, std), permutation)
    assert guessed_permutation(torch.zeros(1, 3, 20, 20), torch.zeros(1, 3, 20, 20), 5, std).tolist() == [[0] * 25]


def test_the_guess_against_a_loop():
    torch.manual_seed(1)
    std = (0.2, 0.3, 0.4)
    before, after = torch.rand(2, 1, 3, 15, 15)
    means = [
        [
            sum(std[c] * float(x[0, c, 5 * y : 5 * y + 5, 5 * z : 5 * z + 5].mean()) for c in range(3))
            for y in range(3)
            for z in range(3)
        ]
        for x in (before, after)
    ]
    expected = [min(range(9), key=lambda block: abs(means[0][block] - colour)) for colour in means[1]]
    assert guessed_permutation(before, after, 3, std).tolist() == [expected]


@pytest.mark.parametrize(("law", "channels"), [("one-channel", 1), ("two-channel", 2)])
@pytest.mark.parametrize("side", [14, 7, 4, 9])
def test_the_head_fits_any_map(law, channels, side):
    head = ConstructionHead(16, 7, law)
    assert head(torch.randn(3, 16, side, side + 1)).shape == (3, channels * 49)


def test_at_14_it_is_the_two_by_two_pooling_of_the_definition():
    torch.manual_seed(0)
    head, maps = ConstructionHead(16, 7, "one-channel"), torch.randn(2, 16, 14, 14)
    torch.testing.assert_close(head(maps), nn.AvgPool2d(2)(head.convolution(maps)).tanh().flatten(1))
    head = ConstructionHead(16, 7, "two-channel")
    torch.testing.assert_close(head(maps), nn.AvgPool2d(2)(head.convolution(maps).relu()).flatten(1))
