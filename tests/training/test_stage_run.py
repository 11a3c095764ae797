"""A stage under way: its own settings, its batches, its targets, and what is frozen."""

import pytest
import torch

from finegrained_crl.data.loading import Batch
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.training.stage_run import StageRun, check_stage
from finegrained_crl.training.stages import PlacedStage, Stage, place


def stage_run(session, **settings):
    stage = Stage("own", settings)
    return StageRun(session, place([stage], session.recipe)[0])


@pytest.mark.parametrize(
    ("batch_size", "accumulate", "sizes"),
    [("7", 1, [1, 1]), ("2", 3, [3, 3, 1]), ("2", 7, [7]), ("2", 9, [7]), ("14", 1, [1])],
)
def test_an_update_gets_so_many_batches(batch_size, accumulate, sizes, make_session):
    run = stage_run(make_session("--batch-size", batch_size, "--drop-last", "false"), accumulate=accumulate)
    run.session.order.at(0, 0)
    assert [len(group) for group in run.groups()] == sizes
    assert run.updates_per_epoch == len(sizes)


def test_settings_are_the_stages(make_session):
    session = make_session("--lr", "1", "--weight-decay", "0.5")
    run = stage_run(session, lr=0.25, weight_decay=0.125, schedule="step", decay_epochs=[1], decay_rate=0.5, epochs=3)
    assert run.optimizer.param_groups[0]["lr"] == 0.25
    run.schedule.step_update(run.updates_per_epoch)
    assert run.optimizer.param_groups[0]["lr"] == 0.125


def test_a_stage_trains_what_the_one_before_had_frozen(make_session):
    session = make_session()
    session.trainee.requires_grad_(False)
    assert [p.requires_grad for p in stage_run(session).session.trainee.parameters()] == [True]


@pytest.fixture
def picture_run(tiny_folder, tmp_path):
    """A stage of a small network with batch norms, its backbone frozen or not."""
    from finegrained_crl.training.recipe import Component, Recipe
    from finegrained_crl.training.run_folder import RunFolder
    from finegrained_crl.training.run_options import RunOptions
    from finegrained_crl.training.session import Session

    def build(**settings):
        recipe = Recipe(
            data=str(tiny_folder), backbone="test_resnet", weights="none", image_size=32, epochs=1, loss=Component("ce")
        ).replace(**settings)
        session = Session(recipe, RunFolder(tmp_path / "run"), RunOptions(workers=0))
        return StageRun(session, session.stages[0])

    return build


def test_what_is_frozen_stands_still_with_its_statistics(picture_run):
    run = picture_run(freeze=["backbone"])
    run.train_mode()
    norms = [m for m in run.wrapped.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert norms
    assert not any(norm.training for norm in norms)
    assert run.wrapped.training
    trained = [name for name, p in run.session.trainee.named_parameters() if p.requires_grad]
    assert trained
    assert all("fc" in name for name in trained)
    free = picture_run()
    free.wrapped.eval()
    free.train_mode()
    assert all(module.training for module in free.wrapped.modules())


def batch(session, extras=None):
    images = torch.randint(0, 256, (4, 42, 42, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    return Batch(images, torch.tensor([0, 3, 6, 1]), torch.arange(4), extras or {})


def test_a_training_batch_is_normalised_and_has_its_target(make_session):
    run = stage_run(make_session("--label-smoothing", "0.7"))
    given = batch(run.session, {"law": torch.arange(4)})
    made = run.train_batch(given)
    mean, std = (
        torch.tensor(v).view(1, 3, 1, 1) for v in (run.session.trainee.model.mean, run.session.trainee.model.std)
    )
    torch.testing.assert_close(made.images, (given.images.permute(0, 3, 1, 2) / 255 - mean) / std)
    assert made.target[1].tolist() == pytest.approx([0.1] * 3 + [0.4] + [0.1] * 3)
    assert (made.extras["law"].tolist(), made.stage, made.cached) == ([0, 1, 2, 3], "own", False)
    plain = stage_run(make_session(out="plain")).train_batch(given)
    assert plain.target.tolist() == [0, 3, 6, 1]


def test_cached_features_are_smoothed_too(make_session):
    run = stage_run(make_session("--label-smoothing", "0.7"))
    run.cache = object()
    made = run.train_batch(Batch(torch.zeros(2, 5, dtype=torch.float16), torch.tensor([0, 3]), torch.arange(2)))
    assert made.cached
    assert made.images.dtype == torch.float32
    assert made.target[1].tolist() == pytest.approx([0.1] * 3 + [0.4] + [0.1] * 3)


def test_with_cached_features_validation_is_due_once(make_session):
    run = stage_run(make_session(), epochs=3)
    assert [run.validates(epoch) for epoch in range(3)] == [True] * 3
    run.cache = object()
    assert [run.validates(epoch) for epoch in range(3)] == [False, False, True]


@pytest.mark.parametrize("mixing", ["--mixup", "--cutmix"])
def test_mixing_and_cached_features_exclude_each_other(mixing, make_session, knowing, monkeypatch):
    session = make_session(mixing, "0.5")
    check_stage(session, session.stages[0])
    cached = PlacedStage(Stage("own", {}, cached_views=2), 0, session.recipe)
    with pytest.raises(
        FinegrainedError, match="mixup and CutMix mix images, and stage 'own' trains on cached features"
    ):
        check_stage(session, cached)
    monkeypatch.setattr(knowing.Knowing, "per_image", lambda self: lambda pixels, random: (pixels, {}))
    with pytest.raises(FinegrainedError, match="would mix what the method made of each image"):
        check_stage(session, session.stages[0])
