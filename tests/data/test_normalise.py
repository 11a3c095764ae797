"""Normalised pictures: the textbook formula, whatever the sizes and blocks."""

import pytest
import torch

from finegrained_crl.data import normalise

CPU = torch.device("cpu")
MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.3, 0.4)


def test_equals_the_textbook_formula():
    images = torch.randint(0, 256, (2, 3, 8, 8, 3), dtype=torch.uint8)
    floats = normalise.normaliser(MEAN, STD, CPU)(images)
    scaled = images.flatten(0, 1).permute(0, 3, 1, 2).double() / 255
    expected = (scaled - torch.tensor(MEAN).view(1, 3, 1, 1)) / torch.tensor(STD).view(1, 3, 1, 1)
    assert floats.shape == (6, 3, 8, 8)
    torch.testing.assert_close(floats.double(), expected, rtol=0, atol=1e-5)
    assert floats.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("pictures_per_block", [0.5, 1, 2, 3, 100])
@pytest.mark.parametrize("shape", [(5, 6, 4, 3), (1, 3, 7, 3), (0, 3, 7, 3)])
def test_blocks_change_no_bit(shape, pictures_per_block, monkeypatch):
    images = torch.randint(0, 256, shape, dtype=torch.uint8)
    values = shape[1] * shape[2] * shape[3]
    monkeypatch.setattr(normalise, "BLOCK", int(pictures_per_block * values))
    scale = torch.tensor(STD).mul(255).reciprocal()
    shift = torch.tensor(MEAN).mul(255).mul(-scale)
    whole = images.mul(scale).add(shift).permute(0, 3, 1, 2)
    assert torch.equal(normalise.normaliser(MEAN, STD, CPU)(images), whole)


def test_windows_of_a_larger_picture_are_read_where_they_are():
    images = torch.randint(0, 256, (3, 9, 9, 3), dtype=torch.uint8)
    inside, apply = images[:, 2:6, 1:8], normalise.normaliser(MEAN, STD, CPU)
    assert torch.equal(apply(inside), apply(inside.clone()))
