"""Noise and imbalance touch the training labels alone, as much as asked, by the seed."""

import numpy as np
import pytest

from finegrained_crl.probes.corruption import corrupted, thinned

LABELS = np.repeat(np.arange(5), 40)
TRAIN = np.arange(0, 200, 2)


@pytest.mark.parametrize("share", [0.0, 0.2, 0.4])
def test_the_share_of_training_labels_becomes_another_class(share):
    noisy = corrupted(LABELS, TRAIN, 5, share, seed=3)
    changed = np.flatnonzero(noisy != LABELS)
    assert len(changed) == round(share * len(TRAIN))
    assert set(changed) <= set(TRAIN)
    assert noisy.min() >= 0
    assert noisy.max() < 5
    assert (corrupted(LABELS, TRAIN, 5, share, seed=3) == noisy).all()
    assert share == 0 or (corrupted(LABELS, TRAIN, 5, share, seed=4) != noisy).any()


def test_every_other_class_is_drawn():
    labels = np.zeros(4000, dtype=np.int64)
    noisy = corrupted(labels, np.arange(4000), 5, 1.0, seed=0)
    counts = np.bincount(noisy, minlength=5)
    assert counts[0] == 0
    assert counts[1:].min() > 900


def test_a_long_tail():
    kept = thinned(TRAIN, LABELS, 10.0, seed=1)
    counts = np.bincount(LABELS[kept], minlength=5)
    assert counts.tolist() == [round(20 * 10 ** (-k / 4)) for k in range(5)]
    assert set(kept) <= set(TRAIN)
    assert (np.diff(kept) > 0).all()
    assert (thinned(TRAIN, LABELS, 10.0, seed=1) == kept).all()
    assert thinned(TRAIN, LABELS, 1.0, seed=1) is TRAIN
    assert np.bincount(LABELS[thinned(TRAIN, LABELS, 1e5, seed=1)]).min() == 1
