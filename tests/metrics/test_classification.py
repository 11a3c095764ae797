import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, top_k_accuracy_score
from sklearn.metrics import confusion_matrix as sklearn_confusion_matrix

from finegrained_crl.metrics import confusion_matrix, mean_class_accuracy, top1_accuracy, top_k_accuracy

RANDOM = np.random.default_rng(0)
LOGITS, LABELS = RANDOM.normal(size=(200, 6)), RANDOM.integers(0, 5, 200)  # class 5 never occurs


def test_equal_scikit_learn():
    guesses = LOGITS.argmax(1)
    assert top1_accuracy(LOGITS, LABELS) == pytest.approx(accuracy_score(LABELS, guesses))
    assert top_k_accuracy(LOGITS, LABELS, 3) == pytest.approx(
        top_k_accuracy_score(LABELS, LOGITS, k=3, labels=range(6))
    )
    with pytest.warns(UserWarning, match="y_pred contains classes not in y_true"):
        expected = balanced_accuracy_score(LABELS, guesses)
    assert mean_class_accuracy(LOGITS, LABELS, 6) == pytest.approx(expected)
    assert (confusion_matrix(LOGITS, LABELS, 6) == sklearn_confusion_matrix(LABELS, guesses, labels=range(6))).all()


def test_top_k_covers_all_classes_at_the_end():
    assert top_k_accuracy(LOGITS, LABELS, 1) == top1_accuracy(LOGITS, LABELS)
    assert top_k_accuracy(LOGITS, LABELS, 6) == top_k_accuracy(LOGITS, LABELS, 99) == 1.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: top1_accuracy(LOGITS, LABELS[:3]), r"got \(200, 6\) and \(3,\)"),
        (lambda: top1_accuracy(np.zeros((0, 3)), np.zeros(0, int)), "got an empty batch"),
        (lambda: top1_accuracy(LOGITS, LABELS + 5), r"labels must lie in \[0, 6\), got \[5, 9\]"),
        (lambda: top1_accuracy(LOGITS, LABELS * 1.0), "labels must be integers"),
        (lambda: top_k_accuracy(LOGITS, LABELS, 0), "`k` must be at least 1, got 0"),
        (lambda: mean_class_accuracy(LOGITS, LABELS, 5), "`num_classes` is 5 but `logits` has 6 columns"),
    ],
)
def test_refuses(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_class_with_one_image_counts_like_the_others():
    assert mean_class_accuracy([[1, 0, 0], [0, 1, 0], [1, 0, 0]], [0, 1, 1], num_classes=3) == 0.75


@pytest.mark.parametrize("label", [-1, 3])
def test_a_label_beyond_the_classes_is_refused(label):
    with pytest.raises(ValueError, match=r"labels must lie in \[0, 3\)"):
        top1_accuracy([[1, 0, 0], [0, 1, 0]], [0, label])
