import json
from pathlib import Path

import numpy as np
import pytest

from finegrained_crl.cli.plot import main
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.reports.loss_figures import GAINS, LOSSES, crl_gain, make_loss_figures


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """What the function draws; drawing all of it takes two seconds."""
    return make_loss_figures(tmp_path_factory.mktemp("figures") / "new")


def test_writes_each_figure_as_png_and_svg(drawn):
    assert len(drawn) == 8
    for path in drawn:
        assert path.stat().st_size > 5_000
        assert path.read_bytes().startswith(b"\x89PNG" if path.suffix == ".png" else b"<?xml")
        assert path.suffix == ".svg" or path.stat().st_size < 150_000


def test_the_command_lists_its_files_and_the_same_figures_are_the_same_files(drawn, tmp_path, capsys):
    assert main(["losses", "--out", str(tmp_path), "--json"]) == 0
    files = json.loads(capsys.readouterr().out)["files"]
    assert len(files) == 8
    assert all(a.read_bytes() == Path(b).read_bytes() for a, b in zip(drawn, files, strict=True))


def test_lines_differ_without_colour():
    for lines in (LOSSES, GAINS):
        assert len({str(line.style) for line in lines}) == len(lines)
        assert len({line.color for line in lines}) == len(lines)


def test_gains_are_the_slopes_of_the_losses():
    """g(p) = -p dL/dp, by finite differences of the drawn losses."""
    gains = {line.name.split(",")[0].split(" =")[0]: line.of for line in GAINS}
    p, step = np.linspace(0.05, 0.95, 19), 1e-6
    for line in LOSSES:
        slope = (line.of(p + step) - line.of(p - step)) / (2 * step)
        np.testing.assert_allclose(gains[line.name.split(",")[0]](p), -p * slope, rtol=1e-5)


def test_printed_factor_is_two_minus_the_true_one():
    p = np.linspace(0, 1, 11)
    np.testing.assert_allclose(crl_gain(p, 1.5, -1.0), 2 - crl_gain(p))


def test_the_command_explains_a_folder_that_cannot_be(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FinegrainedError, match="cannot write there"):
        main(["losses", "--out", str(tmp_path / "file" / "sub")])
