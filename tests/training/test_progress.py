"""Where a run stands."""

import pytest

from finegrained_crl.training.progress import Progress, history_csv


def test_means_are_per_image_and_by_role():
    p = Progress()
    p.add("images", 4)
    p.add("images", 6)
    p.add("correct", 5)
    p.add("loss/class", 20.0)
    assert p.means() == {"train_loss": 2.0, "train_accuracy": 0.5}
    p.add("loss/swap", 5.0)
    assert p.means() == {
        "train_loss": 2.5,
        "train_loss_class": 2.0,
        "train_loss_swap": 0.5,
        "train_accuracy": 0.5,
    }
    assert Progress().means() == {"train_loss": 0, "train_accuracy": 0.0}


def test_the_first_of_equal_epochs_is_the_best():
    p = Progress()
    seen = []
    for accuracy in (0.0, 0.5, 0.4, 0.5, 0.6):
        seen.append(p.is_better(accuracy))
        p.close_epoch({"epoch": p.epoch + 1})
    assert seen == [True, True, False, False, True]
    assert (p.best_epoch, p.best_accuracy) == (5, 0.6)


def test_an_epoch_is_closed():
    p = Progress(update=3, sums={"images": 2.0})
    p.close_epoch({"epoch": 1})
    p.close_epoch({"epoch": 2})
    assert (p.epoch, p.update, p.sums, p.history) == (2, 0, {}, [{"epoch": 1}, {"epoch": 2}])


def test_goes_through_a_checkpoint_whole():
    p = Progress(3, 2, {"images": 1.0}, [{"epoch": 1}], 2, 0.7, True)
    assert Progress.from_dict(p.as_dict()) == p
    with pytest.raises(KeyError):
        Progress.from_dict({"epoch": 1})


def test_history_has_the_columns_of_all_rows():
    assert history_csv([{"a": 1}, {"a": 2, "b": 3}]) == "a,b\n1,\n2,3\n"
