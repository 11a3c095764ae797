"""What a dry run says: sizes by counting, times by measuring."""

import pytest

from finegrained_crl.training import dry_run as module
from finegrained_crl.training.run_options import RunOptions
from finegrained_crl.training.stages import PlacedStage, Stage


@pytest.fixture
def facts(make_session, monkeypatch):
    monkeypatch.setattr(module, "_time_evaluation", lambda loop: 2.0)

    def ask(*words):
        session = make_session(*words)
        return module.dry_run(session.recipe, RunOptions(workers=0))

    return ask


def test_sizes(facts):
    found = facts("--batch-size", "7", "--method.pull", "1")
    assert found["images"] == {"train": 14, "val": 21, "test": 42}
    assert found["images_per_class"]["ant"] == {"train": 2, "val": 3, "test": 6}
    assert found["parameters"] == {"total": 1, "trained": 1}
    assert found["updates_per_epoch"] == 2
    assert len(found["first_losses"]) == 2


def test_losses_are_per_picture(facts):
    first = facts("--batch-size", "7", "--loss", "ce")["first_losses"]
    assert all(0.1 < loss < 5 for loss in first)


def test_expected_time(facts, monkeypatch):
    monkeypatch.setattr(module, "_time_updates", lambda loop: (3.0, [1.0]))
    found = facts("--batch-size", "7", "--epochs", "5")
    assert found["expected_seconds"] == 5 * 2 * 3 + (5 * 21 + 42) * 2
    assert found["images_per_second"] == round(7 / 3, 1)


def test_frozen_parameters_are_not_trained():
    import torch

    net = torch.nn.Linear(3, 2)
    net.bias.requires_grad_(False)
    assert module._parameters(net) == {"total": 8, "trained": 6}


def test_a_stage_on_cached_features_costs_its_views(make_session):
    recipe = make_session("--epochs", "9").recipe
    assert module._updates_at_full_cost(PlacedStage(Stage("a"), 0, recipe)) == 9
    assert module._updates_at_full_cost(PlacedStage(Stage("a", {}, cached_views=2), 0, recipe)) == 2


def test_what_an_update_added():
    before, after = {"images": 4.0, "loss/a": 8.0}, {"images": 6.0, "loss/a": 12.0, "loss/b": 2.0}
    assert module._added_loss(before, after) == (4.0 + 2.0) / 2


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ([], ["fp32", "channels_last", False, 7]),
        (["--precision", "bf16", "--memory-format", "contiguous", "--compile"], ["bf16", "contiguous", True, 7]),
    ],
)
def test_how_steps_are_computed(flags, told, facts, monkeypatch):
    monkeypatch.setattr("finegrained_crl.training.loop.compile_network", lambda *_, **__: None)
    monkeypatch.setattr(module.torch, "get_num_threads", lambda: 7)
    said = facts("--batch-size", "7", *flags)
    assert [said[name] for name in ("precision", "memory_format", "compile", "threads")] == told
