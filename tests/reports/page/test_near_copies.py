"""Near-copies across folds on the page: found, counted, shown, and left out where nobody may be shown."""

import numpy as np
import pytest
from PIL import Image

from finegrained_crl.data.fingerprint import fingerprint
from finegrained_crl.data.records import make_records
from finegrained_crl.reports.page import near_copies as module
from finegrained_crl.reports.page.near_copies import near_copies
from finegrained_crl.reports.page.thumbnails import Thumbnails
from finegrained_crl.training.run_folder import RunFolder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Eight pictures in two folds: 1 is in the other fold mirrored (5), 2 as it is (6), 3 once more in its own (7)."""
    root, random = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    coarse = random.integers(0, 256, (8, 9, 7, 3), dtype=np.uint8)
    pictures = [Image.fromarray(one).resize((90, 70), Image.Resampling.BICUBIC) for one in coarse]
    pictures[5] = pictures[1].transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    for i, picture in enumerate(pictures):
        picture.save(root / f"{i}.png")
    (root / "6.png").write_bytes((root / "2.png").read_bytes())
    pictures[3].resize((80, 60)).save(root / "7.png")
    folds = [0, 0, 0, 1, 0, 1, 1, 1]
    columns = {"path": [f"{i}.png" for i in range(8)], "label": [0, 1] * 4, "fold": folds}
    records = make_records(columns, class_names=("a", "b"), root=root, protocol="made")
    folder = RunFolder(tmp_path_factory.mktemp("run"))
    folder.write_data(fingerprint(records))
    return folder.folder, root


def test_pairs_in_different_folds_are_found_and_shown(run):
    folder, root = run
    found = near_copies(folder, root, Thumbnails(root, 60), asked=False)
    assert found.text == "2 pairs of near-copies in different folds, of 8 pictures."
    assert [(pair["names"], pair["sides"]) for pair in found.pairs] == [
        (["2.png", "6.png"], ["0", "1"]),
        (["1.png", "5.png"], ["0", "1"]),
    ]
    assert "mirrored" in found.pairs[1]["how"]
    assert all(picture.startswith("data:image") for pair in found.pairs for picture in pair["pictures"])


def test_many_pictures_are_looked_at_on_request(run, monkeypatch):
    folder, root = run
    monkeypatch.setattr(module, "UNASKED", 7)
    silent = near_copies(folder, root, Thumbnails(root, 60), asked=False)
    assert (silent.text, silent.pairs) == ("8 pictures: not looked for; fgcrl report --near-copies looks.", [])
    assert len(near_copies(folder, root, Thumbnails(root, 60), asked=True).pairs) == 2


@pytest.mark.parametrize("root", [None, "gone"])
def test_without_pictures_there_is_no_such_section(root, run, tmp_path):
    assert near_copies(run[0], root and tmp_path / root, Thumbnails(None, 0), asked=True) is None
