"""The dispatcher: help, versions, unknown words, and what `fgcrl list` shows."""

import json
import subprocess
import sys

import pytest

from finegrained_crl import __version__
from finegrained_crl.cli import list as listing
from finegrained_crl.cli.main import COMMANDS, main
from finegrained_crl.studies import find_study


def test_help_names_every_command(capsys):
    assert main([]) == 0
    text = capsys.readouterr().out
    assert all(f"  {name} " in text for name in COMMANDS)


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"fgcrl {__version__}\n"


def test_an_unknown_command_is_one_line(capsys):
    assert main(["finetun"]) == 1
    assert "did you mean 'finetune'" in capsys.readouterr().err


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name, capsys):
    try:
        code = main([name, "--help"])
    except SystemExit as exit_:
        code = exit_.code
    assert code == 0
    assert "fgcrl" in capsys.readouterr().out


def test_list_explains_everything_in_a_line(capsys):
    assert main(["list", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found) == {"methods", "datasets", "losses", "recipes", "studies"}
    assert {"crl", "ce"} <= set(found["losses"])
    assert {"cub200", "cars196", "adience", "image_folder", "table"} <= set(found["datasets"])
    assert {"resnet/cub", "resnet/cars", "adience/resnet34"} <= set(found["recipes"])
    assert all(line and "\n" not in line for lines in found.values() for line in lines.values())


def test_list_of_one_kind_is_that_kind_alone(capsys):
    assert main(["list", "recipes", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert list(listed) == ["recipes"]
    assert not [line for line in listed["recipes"].values() if line.startswith("fgcrl")]  # what it is for, not how


def test_a_study_of_several_parts_is_listed_with_them():
    for name, line in listing.study_lines().items():
        file = find_study(name)
        assert line == file.title + (f" ({', '.join(file.parts)})" if len(file.parts) > 1 else "")
    assert "(cifar10, " in listing.study_lines()["crl-2019/table-3"]


def test_list_prints_whole_lines_into_a_pipe(capsys):
    assert main(["list", "losses"]) == 0
    assert "…" not in capsys.readouterr().out


HEAVY = ["timm", "albumentations", "matplotlib", "accelerate", "pandas", "sklearn"]
OPTIONAL = ["pytorch_metric_learning", "coral_pytorch", "dlordinal"]


@pytest.fixture(scope="module")
def loaded():
    """What a process has loaded that computes with the losses."""
    code = "import sys, finegrained_crl; import finegrained_crl.losses; finegrained_crl.CompetingRatioLoss()"
    code += "; print(*sys.modules)"
    return set(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split())


@pytest.mark.parametrize("package", HEAVY + OPTIONAL)
def test_importing_the_package_costs_torch_alone(package, loaded):
    assert "torch" in loaded
    assert package not in loaded


def test_metrics_and_reports_need_no_torch():
    code = (
        "import sys; sys.modules['torch'] = None; import finegrained_crl.metrics.classification,"
        " finegrained_crl.reports.comparison"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    "words", [["retrofit", "run", "--only"], ["retrofit", "patch", "--nosuch"], ["explain"], ["plot", "nothing"]]
)
def test_usage_errors_are_one_line_and_exit_code_1(words, capsys):
    assert main(words) == 1
    assert capsys.readouterr().err.count("\n") == 1
