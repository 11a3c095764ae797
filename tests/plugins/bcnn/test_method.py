"""B-CNN as a method: shapes, stages, roles, cached features, and parity with the public model."""

import json

import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from finegrained_crl import CompetingRatioLoss
from finegrained_crl.cli.main import main
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.training.criteria import build_criteria
from finegrained_crl.training.method import ModelSpec, TrainBatch
from finegrained_crl.training.recipe import Component, Recipe
from finegrained_crl.training.stages import place
from finegrained_crl_plugins.bcnn.method import BilinearCNN


def spec(backbone="test_resnet", size=64, classes=5):
    return ModelSpec(backbone, classes, "none", 0.0, 0.0, size)


@pytest.mark.parametrize(
    ("options", "dim"),
    [
        ({}, 96 * 96),
        ({"reduce": 8}, 64),
        ({"compact_dim": 50}, 50),
        ({"reduce": 8, "normalisation": "isqrt-cov"}, 36),
        ({"tap": 16, "reduce": 4}, 16),
        ({"second_backbone": "test_efficientnet", "second_weights": "none"}, 96 * 64),
        ({"second_backbone": "test_efficientnet", "second_weights": "none", "reduce": 8}, 64),
    ],
)
def test_shapes_and_gradients_of_every_option(options, dim):
    method = BilinearCNN(**options)
    model = method.build(spec()).train()
    criteria = build_criteria(Component("crl"), method.roles(model))
    batch = TrainBatch(torch.randn(4, 3, 64, 64), torch.tensor([0, 1, 2, 3]), stage="network")
    losses, scores = method.training_step(model, criteria, batch)
    assert (set(losses), tuple(scores.shape), model.feature_dim) == ({"network"}, (4, 5), dim)
    losses["network"].backward()
    assert [name for name, p in model.named_parameters() if p.grad is None] == []
    cached = method.features(model.eval(), batch.images)
    again, _ = method.training_step(model, criteria, batch._replace(images=cached, cached=True))
    torch.testing.assert_close(again, method.training_step(model, criteria, batch)[0])


@pytest.mark.parametrize("compact", [0, 128])
def test_compact_pooling_saves_the_classifiers_memory(compact):
    model = BilinearCNN(compact_dim=compact).build(spec(classes=200))
    assert model.classifier.weight.shape == (200, compact or 96 * 96)


def test_two_streams_see_their_own_normalisation(monkeypatch):
    model = BilinearCNN(second_backbone="test_efficientnet", second_weights="none").build(spec()).eval()
    model.second.mean, model.second.std = (0.1, 0.2, 0.3), (0.5, 0.25, 0.2)
    raw = torch.rand(1, 3, 64, 64)
    seen = []
    monkeypatch.setattr(model.second, "forward", lambda images: seen.append(images) or torch.zeros(1, 64, 2, 2))

    def under(mean, std):
        return (raw - torch.tensor(mean).view(1, 3, 1, 1)) / torch.tensor(std).view(1, 3, 1, 1)

    model.maps(under(model.backbone.mean, model.backbone.std))
    torch.testing.assert_close(seen[0], under(model.second.mean, model.second.std))


def test_parity_with_the_public_models_forward():
    """The public model on VGG-16: x -> features up to relu5_3 -> X X^T / 784 -> sqrt(. + 1e-5) -> L2 -> linear."""
    ours = BilinearCNN().build(spec("vgg16", 64, 7)).eval()

    class Public(nn.Module):
        def __init__(self):
            super().__init__()
            widths, layers, channels = (
                [64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512],
                [],
                3,
            )
            for width in widths:
                layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()] if width else [nn.MaxPool2d(2)]
                channels = width or channels
            self.features, self.fc = nn.Sequential(*layers), nn.Linear(512 * 512, 7)

        def forward(self, x):
            maps = self.features(x).flatten(2)
            pooled = torch.bmm(maps, maps.mT) / maps.shape[2]
            return self.fc(F.normalize((pooled.flatten(1) + 1e-5).sqrt()))

    public = Public().eval()
    state = {
        name.replace("backbone.net.", "").replace("classifier", "fc"): value
        for name, value in ours.state_dict().items()
    }
    public.load_state_dict(state)
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(ours(images).logits, public(images), atol=1e-5, rtol=1e-5)


def test_the_first_stage_trains_the_classifier_alone_at_its_own_rate():
    recipe = Recipe(epochs=3, lr=0.01, head_lr=0.1, warmup_epochs=1, clip_grad=1.0)
    first, second = place(BilinearCNN(stage1_epochs=4, stage1_lr=0.5).stages(recipe), recipe)
    assert (first.stage.name, first.first, first.end, second.first, second.end) == ("classifier", 0, 4, 4, 7)
    assert (first.recipe.freeze, first.recipe.lr, first.recipe.head_lr, first.recipe.warmup_epochs) == (
        ["backbone"],
        0.5,
        None,
        0,
    )
    assert second.recipe == recipe
    assert [p.stage.name for p in place(BilinearCNN(stage1_epochs=0).stages(recipe), recipe)] == ["network"]


def test_every_setting_of_the_first_stage_is_its_own():
    recipe = Recipe(
        epochs=3, optimizer="adamw", weight_decay=0.3, schedule="step", decay_epochs=[1], warmup_epochs=2, clip_grad=1.0
    )
    method = BilinearCNN(
        stage1_epochs=9,
        stage1_lr=0.25,
        stage1_weight_decay=0.002,
        stage1_optimizer="lamb",
        stage1_schedule="cosine",
        cached_views=4,
    )
    first, second = place(method.stages(recipe), recipe)
    own = {
        "freeze": ["backbone"],
        "epochs": 9,
        "optimizer": "lamb",
        "lr": 0.25,
        "head_lr": None,
        "weight_decay": 0.002,
        "schedule": "cosine",
        "decay_epochs": [],
        "warmup_epochs": 0,
        "clip_grad": 0.0,
    }
    assert {name: getattr(first.recipe, name) for name in own} == own
    assert (first.stage.cached_views, second.stage.cached_views) == (4, 0)


def test_the_first_stages_rate_may_fall_at_chosen_epochs():
    recipe = Recipe(epochs=3, lr=0.01, schedule="cosine", decay_rate=0.5)
    first, second = place(BilinearCNN(stage1_epochs=4, stage1_decay_epochs=[2]).stages(recipe), recipe)
    assert (first.recipe.schedule, first.recipe.decay_epochs, first.recipe.decay_rate) == ("multistep", [2], 0.1)
    assert second.recipe == recipe
    constant, _ = place(BilinearCNN(stage1_epochs=4).stages(recipe), recipe)
    assert (constant.recipe.schedule, constant.recipe.decay_epochs) == ("constant", [])
    with pytest.raises(
        FinegrainedError, match=r"--method\.stage1-decay-epochs needs --method\.stage1-schedule constant, got cosine"
    ):
        BilinearCNN(stage1_decay_epochs=[2], stage1_schedule="cosine")


def test_the_classifiers_first_weights():
    torch.manual_seed(0)
    inputs = 64 * 64  # test_resnet's maps are reduced to 64 channels
    uniform, kaiming = (
        BilinearCNN(reduce=64, classifier_init=init).build(spec(classes=40)).classifier
        for init in ("uniform", "kaiming-normal")
    )
    assert uniform.weight.std().item() == pytest.approx((1 / (3 * inputs)) ** 0.5, rel=0.01)
    assert kaiming.weight.std().item() == pytest.approx((2 / inputs) ** 0.5, rel=0.01)
    assert kaiming.bias.abs().max() == 0 != uniform.bias.abs().max()
    with pytest.raises(FinegrainedError, match="classifier-init"):
        BilinearCNN(classifier_init="zeros")


def test_crl_goes_into_both_stages_unless_told_otherwise():
    method = BilinearCNN()
    roles = method.roles(method.build(spec()))
    both = build_criteria(Component("crl"), roles).by_role
    assert {role: isinstance(c, CompetingRatioLoss) for role, c in both.items()} == {
        "classifier": True,
        "network": True,
    }
    one = build_criteria(Component("crl", {"where": ["network"]}), roles).by_role
    assert {role: isinstance(c, CompetingRatioLoss) for role, c in one.items()} == {
        "classifier": False,
        "network": True,
    }


class Owner(nn.Module):
    """Stands for a loss that owns its classifier."""

    needs = "classifier"

    def __init__(self, score):
        super().__init__()
        self.score = score

    def scores(self, features):
        return torch.full((len(features), 3), self.score)


def test_pictures_are_scored_with_what_the_second_stage_trained():
    method = BilinearCNN()
    criteria = {"classifier": Owner(1.0), "network": Owner(2.0)}
    scores = method.scores(method.build(spec()).eval(), criteria, torch.randn(2, 3, 64, 64))
    assert scores.tolist() == [[2.0] * 3] * 2


MISTAKES = [
    ({"normalisation": "isqrt"}, "--method.normalisation isqrt: did you mean 'isqrt-cov'"),
    ({"normalisation": "isqrt-cov", "compact_dim": 8}, "leave out --method.compact-dim"),
    ({"normalisation": "isqrt-cov", "second_backbone": "vgg16"}, "leave out --method.second-backbone"),
    ({"reduce": -1}, "--method.reduce must not be negative, got -1"),
    ({"cached_views": -1}, "--method.cached-views must not be negative, got -1"),
]


@pytest.mark.parametrize(("options", "text"), MISTAKES, ids=[text for _, text in MISTAKES])
def test_mistakes(options, text):
    with pytest.raises(FinegrainedError) as error:
        BilinearCNN(**options)
    assert text in str(error.value)


@pytest.fixture(scope="module")
def flags(tiny_flags):
    own = "--method bcnn --method.reduce 4 --method.stage1-epochs 2 --epochs 1 --val-fraction 0.25"
    return [*map(str, tiny_flags), *own.split()]


@pytest.fixture(scope="module")
def run(flags, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bcnn") / "run"
    assert main(["finetune", *flags, "--method.cached-views", "2", "--out", str(folder)]) == 0
    return folder


def test_two_stages_leave_one_run(run):
    epochs = pd.read_csv(run / "epochs.csv")
    assert epochs["stage"].tolist() == ["classifier", "classifier", "network"]
    assert epochs["train_loss_classifier"].notna().tolist() == [True, True, False]
    assert epochs["train_loss_network"].notna().tolist() == [False, False, True]
    # Of cached features, validation would cost more than the epoch: once, at the end of the stage.
    assert epochs["val_top1"].notna().tolist() == [False, True, True]
    results = json.loads((run / "results.json").read_text())
    assert results["stages"] == [{"name": "classifier", "epochs": 2}, {"name": "network", "epochs": 1}]
    assert set(results["roles"]) == {"classifier", "network"}
    assert not (run / "cache").exists()


def test_as_many_cached_views_as_epochs_change_nothing_but_rounding(run, flags, tmp_path):
    assert main(["finetune", *flags, "--out", str(tmp_path / "run")]) == 0
    cached, plain = (pd.read_csv(folder / "epochs.csv")["train_loss"] for folder in (run, tmp_path / "run"))
    assert cached[:2].tolist() == pytest.approx(plain[:2].tolist(), rel=2e-3)
    assert cached[:2].tolist() != plain[:2].tolist()


# After the first update of each stage; the last one is slow.
@pytest.mark.parametrize("saves", [1, 3, pytest.param(5, marks=pytest.mark.slow)])
def test_stopped_anywhere_it_ends_the_same(saves, run, flags, tmp_path, monkeypatch):
    from finegrained_crl.training.loop import Loop

    real, count = Loop.save, 0

    def save(self):
        nonlocal count
        real(self)
        count += 1
        if count == saves:
            raise KeyboardInterrupt

    folder, words = tmp_path / "run", [*flags, "--method.cached-views", "2", "--checkpoint-seconds", "0"]
    with monkeypatch.context() as patch:
        patch.setattr(Loop, "save", save)
        assert main(["finetune", *words, "--out", str(folder)]) != 0
    assert main(["finetune", *words, "--out", str(folder), "--resume"]) == 0
    for file in ("results.json", "checkpoints/model_last.safetensors"):
        assert (folder / file).read_bytes() == (run / file).read_bytes()


def test_mixing_cached_features_is_refused_before_anything_starts(flags, tmp_path, capsys):
    assert (
        main(["finetune", *flags, "--method.cached-views", "2", "--mixup", "0.2", "--out", str(tmp_path / "run")]) == 1
    )
    assert "stage 'classifier' trains on cached features" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_finished_run_predicts(run, tiny_folder, capsys):
    pictures = sorted(tiny_folder.rglob("*.png"))[:3] or sorted(tiny_folder.rglob("*.jpg"))[:3]
    assert main(["predict", str(run), *map(str, pictures)]) == 0
    assert all(str(picture) in capsys.readouterr().out for picture in pictures[:1])


def test_each_stage_has_its_own_criterion():
    method = BilinearCNN(reduce=4)
    model = method.build(spec()).eval()
    criteria = build_criteria(Component("focal", {"gamma": 3.0, "where": ["classifier"]}), method.roles(model))
    images, target = torch.randn(3, 3, 64, 64), torch.tensor([0, 1, 2])
    for stage, criterion in (("classifier", criteria["classifier"]), ("network", criteria["network"])):
        losses, scores = method.training_step(model, criteria, TrainBatch(images, target, stage=stage))
        assert list(losses) == [stage]
        torch.testing.assert_close(losses[stage], criterion(scores, target))
    assert not torch.equal(criteria["classifier"](scores, target), criteria["network"](scores, target))


def test_a_stride_that_was_asked_for_is_not_replaced():
    with pytest.raises(FinegrainedError, match="has no feature maps of stride 64; it has 2, 4, 8, 16, 32"):
        BilinearCNN(tap=64).build(spec())
    assert (
        BilinearCNN().build(spec("test_vit")).backbone.channels
        == BilinearCNN(tap=16).build(spec("test_vit")).backbone.channels
    )
    with pytest.raises(FinegrainedError, match="has no feature maps of stride 32; it has 16"):
        BilinearCNN(tap=32).build(spec("test_vit"))


def test_the_options_of_the_descriptor_reach_it():
    model = BilinearCNN(epsilon=0.5, compact_dim=32, reduce=4).build(spec())
    assert (model.descriptor.epsilon, model.descriptor.dim, model.descriptor.sketch.dim) == (0.5, 32, 32)
    assert len(model.reduce) == 1


def test_dropout_is_between_the_vector_and_the_classifier():
    torch.manual_seed(0)
    model = BilinearCNN(reduce=4).build(ModelSpec("test_resnet", 5, "none", 0.9, 0.0, 64))
    maps = model.eval().maps(torch.randn(2, 3, 64, 64))
    with torch.no_grad():
        quiet = model.classify(maps)
        torch.testing.assert_close(quiet.logits, model.classifier(quiet.features))
        model.dropout.train()
        dropped = model.classify(maps)
    torch.testing.assert_close(dropped.features, quiet.features)
    assert not torch.equal(dropped.logits, quiet.logits)
    assert BilinearCNN().build(ModelSpec("test_resnet", 5, "none", 0.25, 0.0, 64)).dropout.p == 0.25


def test_the_finer_stream_is_averaged_down_to_the_coarser_one():
    torch.manual_seed(0)
    for first, second in (("test_resnet", "test_vit"), ("test_vit", "test_resnet")):
        model = BilinearCNN(second_backbone=second, reduce=4).build(spec(first)).eval()
        images = torch.randn(1, 3, 64, 64)
        mine, other = model.backbone(images), model.second(images)
        assert {tuple(mine.shape[2:]), tuple(other.shape[2:])} == {(2, 2), (4, 4)}
        maps = model.maps(images)
        assert maps.shape == (1, sum(model.channels), 2, 2)
        if mine.shape[2] == 4:
            torch.testing.assert_close(maps[:, : model.channels[0]], F.avg_pool2d(mine, 2))


def test_the_channel_reduction_is_a_new_layer_too():
    model = BilinearCNN(reduce=4).build(spec())
    assert model.head_modules() == [model.classifier, model.reduce]
    assert [type(layer).__name__ for layer in model.reduce[0]] == ["Conv2d", "BatchNorm2d", "ReLU"]
    whole = BilinearCNN(compact_dim=8).build(spec())
    assert whole.head_modules() == [whole.classifier]
