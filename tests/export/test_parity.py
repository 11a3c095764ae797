"""What is said of an exported model is what differs, in the right direction."""

import numpy as np
import pytest
import torch

from finegrained_crl.export import parity
from finegrained_crl.export.parity import Parity, compare, in_batches
from finegrained_crl.export.pictures import Sample

LABELS = np.array([0, 1, 2, 0, 1])
OWN = np.float32([[3, 0, 0], [0, 3, 0], [0, 0, 3], [3, 0, 0], [0, 0, 3]])
"""Of the run: four of five are right."""


@pytest.fixture
def compared(monkeypatch):
    """Compares a run that says OWN with an exported model of other scores."""
    monkeypatch.setattr(parity, "scoring_network", lambda _: lambda pixels: torch.from_numpy(OWN)[pixels.long()])
    pixels = np.arange(5)

    def of(answers, labels=LABELS):
        return compare(None, lambda pixels: np.float32(answers)[pixels], Sample(pixels, labels))

    return of


def test_an_equal_model_holds(compared):
    found = compared(OWN)
    assert found == Parity(5, 0.0, 1.0, 0.8, 0.8)
    assert found.holds
    assert "0.00 points lost" in found.text()


def test_the_largest_difference_counts_and_the_loss_is_the_run_s(compared):
    other = OWN.copy()
    other[0], other[3, 1] = (0, 3, 0), 0.25
    found = compared(other)
    assert found == Parity(5, 3.0, 0.8, 0.8, pytest.approx(0.6))
    assert not found.holds
    assert "80.00 % by the run, 60.00 % exported (20.00 points lost)" in found.text()


def test_without_all_labels_no_accuracy_is_told(compared):
    found = compared(OWN, np.array([0, 1, -1, 0, 1]))
    assert found.run_accuracy is found.exported_accuracy is None
    assert "accuracy" not in found.text()


def test_batches_hold_every_picture_once():
    pixels = np.arange(2 * parity.BATCH + 3)
    assert in_batches(lambda part: part[:, None], pixels)[:, 0].tolist() == pixels.tolist()
