"""`--study` without `--part`: every part in a folder of its own; what one lacks doesn't keep the others."""

import pytest

from finegrained_crl.cli import crossval as command
from finegrained_crl.cli.main import main
from finegrained_crl.errors import FinegrainedError


@pytest.fixture
def run_parts(monkeypatch, tmp_path, capsys):
    """The words of each part's study."""
    seen = []

    def one(words):
        seen.append(words)
        if "--part=cifar100" in words:
            raise FinegrainedError("no data")
        return 0

    monkeypatch.setattr(command, "_one_study", one)
    (tmp_path / "data" / "svhn").mkdir(parents=True)
    words = ["--study", "crl-2019/table-3", "--data", str(tmp_path / "data"), "--out", str(tmp_path / "out")]
    code = main(["crossval", *words])
    return seen, code, capsys.readouterr().err


def last(words, flag):
    return [word.partition("=")[2] for word in words if word.startswith(f"{flag}=")][-1]


def test_each_part_is_a_study_of_its_own(run_parts, tmp_path):
    seen, code, told = run_parts
    assert [last(words, "--part") for words in seen] == ["cifar10", "cifar100", "svhn"]
    assert [last(words, "--out") for words in seen] == [
        str(tmp_path / "out" / p) for p in ("cifar10", "cifar100", "svhn")
    ]
    data = tmp_path / "data"
    assert [last(words, "--data") for words in seen] == [str(data), str(data), str(data / "svhn")]
    assert [last(words, "--dataset.name") for words in seen] == ["cifar10", "cifar100", "svhn"]
    assert code == 1
    assert "part cifar100: no data" in told


@pytest.mark.parametrize("words", [["--data", "x"], ["--out", "x"]])
def test_data_and_place_are_needed(words, capsys):
    assert main(["crossval", "--study", "crl-2019/table-3", *words]) == 1
    assert "needs --out STUDIES and --data FOLDER" in capsys.readouterr().err
