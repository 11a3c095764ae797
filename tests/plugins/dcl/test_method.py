"""DCL as a method: parity with the public model's forward, pairs and targets, options, and whole runs."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from finegrained_crl.errors import FinegrainedError
from finegrained_crl.training.criteria import build_criteria
from finegrained_crl.training.method import ModelSpec, TrainBatch
from finegrained_crl.training.recipe import Component
from finegrained_crl_plugins.dcl import destruction
from finegrained_crl_plugins.dcl.destruction import WorkerDestruction, invert, shuffle_blocks
from finegrained_crl_plugins.dcl.method import DCL

CLASSES = 5
NAMES = [f"class {i}" for i in range(CLASSES)]


def made(size=96, backbone="test_resnet", loss=None, **options):
    """Method, model and criteria, seeded."""
    torch.manual_seed(0)
    method = DCL(**options)
    model = method.build(ModelSpec(backbone, CLASSES, "none", 0.0, 0.0, size))
    return method, model, build_criteria(loss or Component("crl", {"alpha": 1.5, "beta": 1.0}), method.roles(model))


class PublicModel(nn.Module):
    """The public model's forward, restated from its description: 448 px, 7 x 7, swap head of 2C."""

    def __init__(self, backbone, channels):
        super().__init__()
        self.model = backbone
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(channels, CLASSES, bias=False)
        self.classifier_swap = nn.Linear(channels, 2 * CLASSES, bias=False)
        self.Convmask = nn.Conv2d(channels, 1, 1)
        self.avgpool2 = nn.AvgPool2d(2, stride=2)

    def forward(self, images):
        maps = self.model.net.forward_features(images)
        features = self.avgpool(maps).flatten(1)
        mask = torch.tanh(self.avgpool2(self.Convmask(maps))).flatten(1)
        return self.classifier(features), self.classifier_swap(features), mask


def test_same_weights_same_numbers_as_the_public_model():
    method, model, criteria = made(448, law="one-channel")
    model.eval()
    public = PublicModel(model.backbone, model.feature_dim)
    names = {
        "backbone.": "model.",
        "swap.": "classifier_swap.",
        "construction.convolution.": "Convmask.",
        "classifier.": "classifier.",
    }
    state = {
        new + k.removeprefix(old): v
        for k, v in model.state_dict().items()
        for old, new in names.items()
        if k.startswith(old)
    }
    public.load_state_dict(state, strict=True)
    images = torch.randn(2, 3, 448, 448)
    with torch.no_grad():
        ours, theirs = model(images), public(images)
        scores = method.scores(model, criteria, images)
    for mine, other in zip((ours.logits, ours.swap, ours.law), theirs, strict=True):
        torch.testing.assert_close(mine, other, atol=1e-5, rtol=0)
    torch.testing.assert_close(scores, theirs[0] + theirs[1][:, :CLASSES] + theirs[1][:, CLASSES:], atol=1e-5, rtol=0)


@pytest.mark.parametrize("size", [(96, 96), (100, 76)])
@pytest.mark.parametrize("grid", [2, 5, 7])
def test_pairs_are_interleaved_and_undone_by_the_inverse(size, grid):
    method, _, _ = made(grid=grid)
    images = torch.randn(3, 3, *size).contiguous(memory_format=torch.channels_last)
    pairs, permutation = method.pairs(TrainBatch(images, torch.tensor([0, 1, 2])))
    assert pairs.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(pairs[::2], images)
    assert not torch.equal(pairs[1::2], images)
    assert torch.equal(shuffle_blocks(pairs[1::2], invert(permutation), grid), images)


def test_swap_targets():
    two_c, two = made()[0], made(swap="2")[0]
    labels = torch.tensor([3, 0])
    assert two_c.swap_target(labels, CLASSES).tolist() == [3, 8, 0, 5]
    assert two.swap_target(labels, CLASSES).tolist() == [0, 1, 0, 1]
    soft = F.one_hot(labels, CLASSES).float() * 0.9 + 0.02
    target = two_c.swap_target(soft, CLASSES)
    assert target.shape == (4, 10)
    torch.testing.assert_close(target[0::2, :5], soft)
    torch.testing.assert_close(target[1::2, 5:], soft)
    torch.testing.assert_close(target.sum(1), torch.ones(4))
    assert target.argmax(1).tolist() == two_c.swap_target(labels, CLASSES).tolist()
    assert two.swap_target(soft, CLASSES).tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize(
    "options", [{}, {"swap": "2", "law": "one-channel", "grid": 3}, {"shuffle": "repository", "law": "one-channel"}]
)
def test_losses_are_the_definitions(options):
    """Every loss again in plain steps, from the same network's outputs for the same pairs."""
    method, model, criteria = made(swap_weight=0.5, construction_weight=0.25, **options)
    model.eval()  # batch norm must see the same in both passes
    images, labels = torch.randn(4, 3, 96, 96), torch.tensor([0, 1, 2, 3])
    torch.manual_seed(7)
    losses, scores = method.training_step(model, criteria, TrainBatch(images, labels))
    torch.manual_seed(7)
    pairs, permutation = method.pairs(TrainBatch(images, labels))
    out, both = model(pairs), labels.repeat_interleave(2)
    p = out.logits.softmax(1)[torch.arange(8), both]
    torch.testing.assert_close(losses["class"], (-p.log() + (1.5 + 1 - p).log()).mean())
    torch.testing.assert_close(losses["swap"], 0.5 * F.cross_entropy(out.swap, method.swap_target(labels, CLASSES)))
    if method.shuffle == "paper":
        truth = torch.stack([torch.arange(method.grid**2).expand(4, -1), permutation], dim=1).flatten(0, 1)
        if method.law == "one-channel":
            target = (truth - method.grid**2 // 2) / method.grid**2
        else:
            target = torch.cat([truth // method.grid + 1, truth % method.grid + 1], dim=1) / method.grid
        torch.testing.assert_close(losses["construction"], 0.25 * (out.law - target).abs().mean())
    assert set(losses) == {"class", "swap", "construction"}
    torch.testing.assert_close(scores, out.logits[::2])
    sum(losses.values()).backward()
    assert [name for name, parameter in model.named_parameters() if parameter.grad is None] == []


def test_the_repository_mode_trains_on_its_guess():
    method, model, criteria = made(shuffle="repository", law="one-channel")
    model.eval()
    flat = torch.ones(2, 3, 96, 96)  # every block looks alike: the guess is block 0 everywhere
    losses, _ = method.training_step(model, criteria, TrainBatch(flat, torch.tensor([0, 1])))
    law = model(flat[:1]).law
    intact = (torch.arange(49) - 24) / 49
    expected = ((law - intact).abs().mean() + (law + 24 / 49).abs().mean()) / 2
    torch.testing.assert_close(losses["construction"], expected)


def test_workers_and_batch_give_the_same_losses():
    method, model, criteria = made()
    model.eval()
    images, labels = torch.randn(3, 3, 96, 96), torch.tensor([0, 1, 2])
    torch.manual_seed(1)
    pairs, permutation = method.pairs(TrainBatch(images, labels))
    torch.manual_seed(1)
    in_batch, _ = method.training_step(model, criteria, TrainBatch(images, labels))
    by_workers, _ = method.training_step(model, criteria, TrainBatch(pairs, labels, {"permutation": permutation}))
    for role, value in in_batch.items():
        torch.testing.assert_close(value, by_workers[role])


def test_only_worker_destruction_runs_in_workers():
    assert DCL().per_image() is None
    assert DCL(grid=3, destroy="worker").per_image() == WorkerDestruction(3, 4, "paper")


@pytest.mark.parametrize(
    ("where", "kinds"),
    [
        ([], ["CompetingRatioLoss", "CrossEntropyLoss"]),
        (["all"], ["CompetingRatioLoss", "CompetingRatioLoss"]),
        (["swap"], ["CrossEntropyLoss", "CompetingRatioLoss"]),
    ],
)
def test_where_the_loss_goes(where, kinds):
    _, _, criteria = made(loss=Component("crl", {"where": where} if where else {}))
    assert [type(criteria[role]).__name__ for role in ("class", "swap")] == kinds


def test_a_head_of_two_adds_nothing_at_test():
    method, model, criteria = made(swap="2")
    model.eval()
    images = torch.randn(2, 3, 96, 96)
    torch.testing.assert_close(method.scores(model, criteria, images), model(images).logits)


@pytest.mark.parametrize("backbone", ["test_efficientnet", "test_convnext", "test_vit"])
def test_other_families(backbone):
    method, model, criteria = made(160, backbone)
    losses, scores = method.training_step(
        model, criteria, TrainBatch(torch.randn(2, 3, 160, 160), torch.tensor([0, 1]))
    )
    assert scores.shape == (2, CLASSES)
    assert torch.isfinite(sum(losses.values()))


def test_the_explanation_is_the_destroyed_picture():
    method, model, criteria = made()
    image = torch.randn(1, 3, 96, 96)
    (panel,) = method.explanations(model.eval(), criteria, image, NAMES)
    (again,) = method.explanations(model.eval(), criteria, image, NAMES)
    assert panel.image.shape == (3, 96, 96)
    assert torch.equal(panel.image, again.image)
    assert not torch.equal(panel.image, image[0])
    torch.testing.assert_close(panel.image.flatten().sort().values, image.flatten().sort().values)
    assert panel.title.startswith("destroyed: class ")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"grid": 1}, r"--method.grid must be at least 2, got 1"),
        ({"reach": 1}, r"--method.reach must be at least 2, got 1"),
        ({"swap_weight": -1.0}, r"--method.swap-weight must be at least 0, got -1.0"),
        ({"construction_weight": float("nan")}, r"--method.construction-weight must be at least 0, got nan"),
        ({"swap": "c2"}, r"--method.swap c2: did you mean '2'\? Known: 2, 2c"),
        ({"law": "three"}, r"--method.law three: .*one-channel, two-channel"),
        ({"shuffle": "papr"}, r"--method.shuffle papr: did you mean 'paper'\?"),
        ({"destroy": "gpu"}, r"--method.destroy gpu: Known: batch, worker"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(FinegrainedError, match=message):
        DCL(**options)


def test_pictures_smaller_than_the_grid():
    with pytest.raises(
        FinegrainedError, match=r"--method.grid 200 needs pictures of at least 200 px, --image-size is 96"
    ):
        made(grid=200)


def test_dropout_is_before_the_heads_in_training_only():
    torch.manual_seed(0)
    model = DCL().build(ModelSpec("test_resnet", CLASSES, "none", 0.5, 0.0, 96)).eval()
    images = torch.randn(16, 3, 96, 96)
    quiet = model(images)
    model.training = True  # the flag alone: batch norms keep their statistics
    dropped = model(images)
    alive = quiet.features > 0
    kept = dropped.features[alive] > 0
    assert 0.3 < kept.float().mean() < 0.7
    torch.testing.assert_close(dropped.features[alive][kept], 2 * quiet.features[alive][kept])
    torch.testing.assert_close(dropped.law, quiet.law)
    model.training = False
    torch.testing.assert_close(model(images).features, quiet.features)


def test_the_heads_are_all_three():
    _, model, _ = made()
    assert model.head_modules() == [model.classifier, model.swap, model.construction]


@pytest.mark.parametrize("shuffle", ["paper", "repository"])
@pytest.mark.parametrize("reach", [2, 5])
def test_pairs_are_destroyed_by_the_methods_own_settings(shuffle, reach):
    """The same random numbers, put through the functions that the options name."""
    method = DCL(grid=4, reach=reach, shuffle=shuffle)
    images = torch.randn(3, 3, 64, 64)
    torch.manual_seed(5)
    pairs, permutation = method.pairs(TrainBatch(images, torch.arange(3)))
    torch.manual_seed(5)
    expected = destruction.permutations(torch.rand(3, 2, 4, 4), reach, shuffle)
    assert torch.equal(permutation, expected)
    source = images if shuffle == "paper" else destruction.without_border(images)
    assert torch.equal(pairs[::2], images)
    assert torch.equal(pairs[1::2], shuffle_blocks(source, expected, 4))


@pytest.mark.parametrize(("swap", "outputs"), [("2", 2), ("2c", 2 * CLASSES)])
def test_the_swap_head_has_the_outputs_that_its_kind_says(swap, outputs):
    method, model, _ = made(swap=swap)
    assert model.swap.out_features == outputs == method.roles(model)["swap"].num_classes
    assert model(torch.randn(1, 3, 96, 96)).swap.shape == (1, outputs)
