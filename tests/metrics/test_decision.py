"""From scores to a class."""

import numpy as np
import pytest

from finegrained_crl.metrics.decision import choose, ranking

SCORES = np.log([[0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1], [0.45, 0.0001, 0.0001, 0.5498], [0.25, 0.25, 0.25, 0.25]])


@pytest.mark.parametrize(
    ("decoder", "classes"), [("argmax", [3, 0, 3, 0]), ("median", [2, 1, 3, 1]), ("mean", [2, 1, 2, 2])]
)
def test_each_decoder(decoder, classes):
    # Means 2, 1, 1.65 and 1.5: halves go up.
    assert choose(SCORES, decoder).tolist() == classes
    assert choose(SCORES + 7.0, decoder).tolist() == classes  # scores are logits: a shift changes nothing
    assert choose(SCORES, decoder).dtype == np.int64


def test_the_highest_score_is_the_default():
    assert choose(SCORES).tolist() == choose(SCORES, "argmax").tolist()


def test_scores_that_differ_by_less_than_a_probability_can_tell():
    assert choose([[0.0, 1e-18]]).tolist() == [1]


def test_ranking_takes_equals_by_index():
    assert ranking([[1.0, 3.0, 3.0, 2.0], [0.0, 0.0, 0.0, 1.0]]).tolist() == [[1, 2, 3, 0], [3, 0, 1, 2]]
    many = np.zeros((1, 200))
    assert ranking(many).tolist() == [list(range(200))]
