"""demo-small is read by the three readers whose layouts it has, says that it is generated, and can be learnt."""

import numpy as np
import pytest

from finegrained_crl.cli.main import main
from finegrained_crl.data.images import read_image
from finegrained_crl.errors import FinegrainedError
from finegrained_crl_datasets.cifar10 import Cifar10
from finegrained_crl_datasets.cifar100 import Cifar100
from finegrained_crl_datasets.demo_small import make_demo_small, stripes
from finegrained_crl_datasets.svhn import Svhn


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    home = tmp_path_factory.mktemp("demo") / "small"
    make_demo_small(home, images_per_class=12)
    return home


@pytest.mark.parametrize(("reader", "classes"), [(Cifar10(), 10), (Cifar100(), 100), (Svhn(), 10)])
def test_a_reader_reads_it_and_says_what_it_is(reader, classes, folder):
    records = reader.read(folder)
    assert "demo-small (generated, seed 0)" in records.protocol
    sizes = records.table["split"].value_counts().to_dict()
    assert sizes == {"train": 10 * classes, "test": 2 * classes}
    assert (records.table.groupby("label").size() == 12).all()
    counts = reader.known_counts(folder)
    assert counts == {"images": 12 * classes, "classes": classes, "train": 10 * classes, "test": 2 * classes}
    assert read_image(records.root / records.table["path"].iloc[-1]).shape == (32, 32, 3)


def test_the_same_seed_gives_the_same_bytes(folder, tmp_path):
    make_demo_small(tmp_path / "again", images_per_class=12)
    make_demo_small(tmp_path / "other", images_per_class=12, seed=1)
    for name in ("cifar-10-batches-py/data_batch_1", "cifar-100-python/test"):
        content = (folder / name).read_bytes()
        assert (tmp_path / "again" / name).read_bytes() == content != (tmp_path / "other" / name).read_bytes()


@pytest.mark.parametrize("classes", [10, 100])
def test_classes_look_different_and_pictures_of_one_alike(classes):
    labels = np.arange(classes).repeat(40)
    pictures = stripes(labels, classes, np.random.default_rng(0)).astype(float)
    spectra = np.abs(np.fft.rfft2(pictures.mean(-1) - pictures.mean((1, 2, 3))[:, None, None])).reshape(len(labels), -1)
    features = np.concatenate(
        [spectra / np.linalg.norm(spectra, axis=1, keepdims=True), pictures.mean((1, 2)) / 100], 1
    )
    means = np.stack([features[labels == label][:20].mean(0) for label in range(classes)])
    held_out = np.concatenate([features[labels == label][20:] for label in range(classes)])
    nearest = ((held_out[:, None] - means) ** 2).sum(-1).argmin(1)
    assert (nearest == np.arange(classes).repeat(20)).mean() > 0.6


def test_mistakes_are_one_line(tmp_path, capsys):
    with pytest.raises(FinegrainedError, match="images_per_class must be from 12 to 6000, got 5"):
        make_demo_small(tmp_path / "a", images_per_class=5)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    assert main(["data", "make", "demo-small", str(tmp_path / "full")]) == 1
    assert "not empty" in capsys.readouterr().err
