"""`load_run`: the predictor of Python programs says what the run's own predictions say, whatever holds the picture."""

import multiprocessing
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from known_runs import known_flags
from PIL import Image

from finegrained_crl import load_run
from finegrained_crl.cli.main import main
from finegrained_crl.errors import FinegrainedError

NO_CHILDREN = pytest.mark.skipif(
    multiprocessing.current_process().daemon, reason="a process that tries faults may start none of its own"
)


@pytest.fixture(scope="module")
def folder(known, tmp_path_factory):
    folder = tmp_path_factory.mktemp("predictor") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parents[1] / "third_party" / "knowing")
        assert main(["finetune", *known_flags(known), "--out", str(folder)]) == 0
        yield folder


@pytest.fixture(scope="module")
def predictor(folder):
    return load_run(str(folder), device="cpu")


@pytest.fixture
def paths(known):
    return [known.csv.parent / path for path in known.part("test")["path"][:5]]


def test_scores_are_those_of_the_run(predictor, folder, known, paths):
    own = pd.read_parquet(folder / "predictions.parquet").query("weights == 'last'").set_index("path")["logits"]
    expected = np.stack([own[path.relative_to(known.csv.parent).as_posix()] for path in paths])
    for batch in (1, 3, 32):
        predictions = predictor.predict(paths, batch_size=batch)
        assert np.allclose(predictions.scores, expected, atol=1e-5)
        assert predictions.table["label"].tolist() == expected.argmax(1).tolist()
    assert predictions.table["path"].tolist() == list(map(str, paths))
    assert all(len(names.split("|")) == 5 for names in predictions.table["top5_classes"])


def test_files_images_and_arrays_are_the_same_pictures(predictor, paths):
    images = [Image.open(path) for path in paths]
    arrays = [np.asarray(image.convert("RGB")) for image in images]
    by_file = predictor.predict([str(path) for path in paths])
    for given in (images, arrays, np.stack(arrays), iter(arrays), tuple(paths)):
        other = predictor.predict(given)
        assert (other.scores == by_file.scores).all()
    assert predictor.predict(arrays).table["path"].tolist() == ["#0", "#1", "#2", "#3", "#4"]
    for one in (paths[0], str(paths[0]), images[0], arrays[0]):
        assert (predictor.predict(one).scores == by_file.scores[:1]).all()


@NO_CHILDREN
def test_loader_processes_change_nothing(predictor, paths):
    broken = [*paths[:2], paths[0].with_name("absent.png"), *paths[2:]]
    here, there = (predictor.predict(broken, batch_size=2, workers=workers) for workers in (0, 2))
    pd.testing.assert_frame_equal(here.table, there.table)
    assert here.errors.keys() == there.errors.keys() == {str(broken[2])}
    assert (here.scores == there.scores).all()


def test_top_names_so_many_classes(predictor, paths):
    table = predictor.predict(paths[0], top=2).table
    assert list(table.columns[-2:]) == ["top2_classes", "top2_probabilities"]
    assert len(table["top2_classes"][0].split("|")) == 2


def test_nothing_readable_is_an_empty_table(predictor):
    predictions = predictor.predict(["nowhere.png"])
    assert len(predictions.table) == len(predictions.scores) == 0
    assert list(predictions.table.columns)[:2] == ["path", "class"]
    assert "nowhere.png" in predictions.errors["nowhere.png"]


def test_an_image_that_needs_converting_is_told_or_converted(predictor):
    glass = Image.new("RGBA", (42, 42), (10, 200, 30, 90))
    assert "#0: alpha image" in predictor.predict(glass).errors["#0"]
    assert len(predictor.predict(glass, convert=True).table) == 1


@pytest.mark.parametrize("pixels", [np.zeros((4, 4, 3)), np.zeros((4, 4), np.uint8), np.zeros((0, 4, 3), np.uint8)])
def test_an_array_that_is_no_picture_is_a_value_error(predictor, pixels):
    with pytest.raises(ValueError, match=r"#0: expected uint8 pixels \(height, width, 3\)"):
        predictor.predict([pixels])


def test_no_run_is_one_line(tmp_path):
    with pytest.raises(FinegrainedError, match="holds no run"):
        load_run(tmp_path)


def test_the_name_alone_loads_nothing():
    code = "import sys, finegrained_crl; 'load_run' in dir(finegrained_crl); print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
