"""Test error over the epochs: what is drawn is recomputed with plain loops from epochs.csv."""

import csv

import numpy as np
import pytest

from finegrained_crl.reports.page.error_curves import error_curves, window


@pytest.fixture
def runs(tmp_path):
    """Two variants of two runs, 62 epochs, the test part measured in each; one epoch of one run is lost."""
    random = np.random.default_rng(1)
    table = {}
    for variant in ("ce", "crl"):
        table[variant] = []
        for seed in (0, 1):
            folder = tmp_path / f"{variant}{seed}"
            folder.mkdir()
            with (folder / "epochs.csv").open("w", newline="") as file:
                lines = csv.writer(file)
                lines.writerow(["epoch", "train_loss", "test_top1", "stage"])
                for epoch in range(62):
                    is_lost = (variant, seed, epoch) == ("crl", 1, 7)
                    lines.writerow([epoch, 1.0, "" if is_lost else round(random.uniform(0.3, 0.9), 4), "all"])
            table[variant].append(folder)
    return table


def by_hand(folders):
    """Errors in % of the epochs that all runs have, and their mean over at most five neighbours."""
    read = [list(csv.DictReader((folder / "epochs.csv").open())) for folder in folders]
    kept = [i for i in range(62) if all(rows[i]["test_top1"] for rows in read)]
    raw = [[100 - 100 * float(rows[i]["test_top1"]) for i in kept] for rows in read]
    smooth = []
    for errors in raw:
        smooth.append([np.mean(errors[max(0, i - 2) : i + 3]) for i in range(len(errors))])
    return kept, np.array(raw), np.array(smooth)


def test_lines_and_band_are_those_of_the_folders(runs):
    axes = error_curves(runs).figure.axes[0]
    for i, folders in enumerate(runs.values()):
        epochs, raw, smooth = by_hand(folders)
        first, second, middle = axes.lines[3 * i : 3 * i + 3]
        for line, errors in ((first, raw[0]), (second, raw[1]), (middle, smooth.mean(0))):
            assert list(line.get_xdata()) == epochs
            np.testing.assert_allclose(line.get_ydata(), errors)
        band = axes.collections[i].get_paths()[0].vertices
        for k, epoch in enumerate(epochs):
            heights = band[band[:, 0] == epoch, 1]
            np.testing.assert_allclose([heights.min(), heights.max()], [smooth[:, k].min(), smooth[:, k].max()])


def test_epochs_are_whole_numbers(runs):
    chart = error_curves({"ce": runs["ce"][:1]})
    axes = chart.figure.axes[0]
    axes.set_xlim(0, 4)
    assert all(tick == round(tick) for tick in axes.get_xticks())


def test_the_words_say_where_it_ends(runs):
    _, raw, _ = by_hand(runs["crl"])
    chart = error_curves(runs)
    assert f"CRL ends at {raw[:, -1].mean():.2f} %, 2 runs" in chart.alt
    assert "smoothed over 5 measured epochs" in chart.reading


@pytest.mark.parametrize(("epochs", "width"), [(2, 1), (30, 3), (44, 3), (45, 3), (60, 5), (300, 21)])
def test_the_window_is_odd_and_a_fifteenth(epochs, width):
    assert window(epochs) == width


def test_nothing_was_watched(runs):
    for folder in runs["ce"] + runs["crl"]:
        text = (folder / "epochs.csv").read_text()
        (folder / "epochs.csv").write_text(text.replace("test_top1", "val_top1"))
    assert error_curves(runs) is None
    assert error_curves({"ce": [runs["ce"][0].parent]}) is None
