"""Trackers: TensorBoard's files, accelerate's W&B and MLflow with stand-ins for their packages, and what is refused."""

import sys
import types

import pytest

from finegrained_crl.cli.main import main
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.training.recipe import Recipe
from finegrained_crl.training.run_folder import RunFolder
from finegrained_crl.training.trackers import figures, require_tracker, tracked

ROW = {"epoch": 2, "stage": "all", "train_loss": 0.5, "val_top1": None, "seconds": 3}


class FakeWandb(types.ModuleType):
    """What accelerate's tracker uses of wandb."""

    def __init__(self):
        super().__init__("wandb")
        self.began, self.settings, self.logged, self.is_over = {}, {}, [], False
        self.config = types.SimpleNamespace(update=lambda values, **how: self.settings.update(values))
        self.run = types.SimpleNamespace(log=self.log, finish=self.finish)

    def init(self, **how):
        self.began.update(how)
        return self.run

    def log(self, values, step=None, **how):
        self.logged.append((step, values))

    def finish(self):
        self.is_over = True


class FakeMlflow(types.ModuleType):
    """What accelerate's tracker uses of mlflow."""

    def __init__(self):
        super().__init__("mlflow")
        limits = types.SimpleNamespace(MAX_PARAM_VAL_LENGTH=500, MAX_PARAMS_TAGS_PER_BATCH=100)
        self.utils = types.SimpleNamespace(validation=limits)
        self.experiment, self.settings, self.logged, self.is_over = "", {}, [], False
        self.run_name = ""

    def search_experiments(self, **how):
        return []

    def create_experiment(self, name, **how):
        self.experiment = name
        return 1

    def start_run(self, run_name, **how):
        self.run_name = run_name

    def log_params(self, values):
        self.settings.update(values)

    def log_metrics(self, values, step=None):
        self.logged.append((step, values))

    def end_run(self):
        self.is_over = True


@pytest.fixture
def installed(monkeypatch):
    """Puts a stand-in in the place of a package."""

    def put(module):
        module.__spec__ = types.SimpleNamespace(name=module.__name__)
        monkeypatch.setitem(sys.modules, module.__name__, module)
        return module

    return put


@pytest.fixture
def main_process():
    from accelerate import Accelerator

    Accelerator(cpu=True)


def test_figures_are_numbers_that_were_measured():
    assert figures(ROW) == {"train_loss": 0.5, "seconds": 3}


@pytest.mark.parametrize("name", ["wandb", "mlflow"])
def test_a_tracker_hears_of_settings_and_epochs_and_of_the_end(name, installed, main_process, tmp_path):
    fake = installed({"wandb": FakeWandb, "mlflow": FakeMlflow}[name]())
    with tracked(name, RunFolder(tmp_path / "run"), Recipe(lr=0.25), 0, is_main=True) as board:
        board.add(ROW, 2)
        assert not fake.is_over
    assert fake.settings["lr"] == "0.25"
    assert fake.settings["loss.name"] == Recipe().loss.name
    assert fake.logged == [(2, {"train_loss": 0.5, "seconds": 3})]
    assert fake.is_over


def test_a_run_that_goes_on_is_the_same_run_at_wandb(installed, main_process, tmp_path):
    began = []
    for folder in ("run", "run", "other"):
        fake = installed(FakeWandb())
        with tracked("wandb", RunFolder(tmp_path / folder), Recipe(), 0, is_main=True):
            began.append(fake.began)
    assert began[0] == began[1]
    assert began[0]["id"] != began[2]["id"]
    assert began[0]["resume"] == "allow"
    assert began[0]["project"] == "finegrained-crl"
    assert began[0]["name"] == "run"


def test_other_processes_track_nothing(tmp_path):
    with tracked("wandb", RunFolder(tmp_path / "run"), Recipe(), 0, is_main=False) as board:
        board.add(ROW, 1)
    assert not (tmp_path / "run").exists()


def test_tensorboard_has_each_figure_at_its_epoch(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = RunFolder(tmp_path / "run")
    with tracked("tensorboard", run, Recipe(), 0, is_main=True) as board:
        board.add(ROW, 2)
    events = EventAccumulator(str(run.tensorboard)).Reload()
    assert [(event.step, event.value) for event in events.Scalars("train_loss")] == [(2, 0.5)]
    assert set(events.Tags()["scalars"]) == {"train_loss", "seconds"}


def test_an_absent_package_is_named_with_its_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(FinegrainedError, match=r'wandb is not installed; run: pip install "finegrained-crl\[wandb\]"'):
        require_tracker("wandb")
    require_tracker("tensorboard")


def test_a_tracker_that_cannot_begin_stops_the_run_in_one_line(installed, tiny_flags, tmp_path, capsys):
    fake = installed(FakeWandb())

    def refuse(**how):
        raise RuntimeError("api_key not configured\nmore lines")

    fake.init = refuse
    out = tmp_path / "run"
    assert main(["finetune", *tiny_flags, "--tracker", "wandb", "--out", str(out)]) == 1
    error = capsys.readouterr().err
    assert "--tracker wandb can't begin: api_key not configured; log in, work offline" in error
    assert "Traceback" not in error


def test_the_flag_reaches_the_run(installed, tiny_flags, tmp_path):
    fake = installed(FakeWandb())
    out = tmp_path / "run"
    assert main(["finetune", *tiny_flags, "--tracker", "wandb", "--out", str(out)]) == 0
    assert [step for step, _ in fake.logged] == [1, 2]
    assert "train_loss" in fake.logged[0][1]
    assert not (out / "tensorboard").exists()
