"""The rooms' imports point one way, and the script that measures the house runs."""

import importlib.util
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "tools" / "measure_house.py"


def house():
    spec = importlib.util.spec_from_file_location("measure_house", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules["measure_house"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_no_arrow_points_back_up():
    assert house().pointing_up() == []


def test_an_arrow_back_up_is_seen(monkeypatch, tmp_path):
    measure = house()
    (tmp_path / "finegrained_crl" / "metrics").mkdir(parents=True)
    (tmp_path / "finegrained_crl" / "training").mkdir()
    (tmp_path / "finegrained_crl" / "metrics" / "bad.py").write_text(
        "def f():\n    from finegrained_crl.training import loop\n"
    )
    monkeypatch.setattr(measure, "ROOT", tmp_path)
    monkeypatch.setattr(measure, "PACKAGE", tmp_path / "finegrained_crl")
    assert measure.pointing_up() == ["metrics -> training (1 imports)"]


def test_an_arrow_back_up_inside_a_room_is_seen(monkeypatch, tmp_path):
    measure = house()
    for name in ("running", "reading"):
        (tmp_path / "finegrained_crl" / "retrofit" / name).mkdir(parents=True)
    (tmp_path / "finegrained_crl" / "retrofit" / "reading" / "bad.py").write_text(
        "from finegrained_crl.retrofit.running import hooks\n"
    )
    monkeypatch.setattr(measure, "ROOT", tmp_path)
    monkeypatch.setattr(measure, "PACKAGE", tmp_path / "finegrained_crl")
    assert measure.pointing_up() == ["retrofit/reading -> retrofit/running (1 imports)"]


def test_the_measures_are_printed():
    shown = subprocess.run([sys.executable, str(SCRIPT)], capture_output=True, text=True, check=True).stdout
    assert {"losses", "retrofit", "all"} <= {line.split()[0] for line in shown.splitlines()}


def test_every_command_and_verb_has_its_module():
    from finegrained_crl.cli import data, recipe, retrofit
    from finegrained_crl.cli.main import COMMANDS
    from finegrained_crl.cli.verbs import module_of

    for name in COMMANDS:
        module = importlib.import_module(f"finegrained_crl.cli.{name}")
        assert isinstance(module.summary, str), name
        assert module.example.startswith(f"fgcrl {name}"), name
    for command, verbs in {"data": data.VERBS, "recipe": recipe.VERBS, "retrofit": retrofit.VERBS}.items():
        assert all(isinstance(module_of(command, verb).summary, str) for verb in verbs)
