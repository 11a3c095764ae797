"""DFL-CNN as a method: parity with the public model's forward, losses, initialisation, options."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from finegrained_crl.errors import FinegrainedError
from finegrained_crl.training.criteria import build_criteria
from finegrained_crl.training.method import ModelSpec, TrainBatch
from finegrained_crl.training.recipe import Component
from finegrained_crl_plugins.dfl.method import DFL

CLASSES = 4
NAMES = [f"class {i}" for i in range(CLASSES)]


def made(size=96, backbone="test_resnet", loss=None, **options):
    """Method, model and criteria, seeded."""
    torch.manual_seed(0)
    method = DFL(**{"filters": 3, **options})
    model = method.build(ModelSpec(backbone, CLASSES, "none", 0.0, 0.0, size))
    return method, model, build_criteria(loss or Component("crl", {"alpha": 1.5, "beta": 1.0}), method.roles(model))


class PublicModel(nn.Module):
    """The public model's forward, restated from its description, on a residual network cut before its last stage."""

    def __init__(self, net, channels, tapped, filters, side):
        super().__init__()
        self.filters = filters
        self.conv1_conv4 = nn.Sequential(net.conv1, net.bn1, net.act1, net.maxpool, net.layer1, net.layer2, net.layer3)
        self.conv5 = net.layer4
        self.cls5 = nn.Sequential(
            nn.Conv2d(channels, CLASSES, 1), nn.BatchNorm2d(CLASSES), nn.ReLU(), nn.AdaptiveAvgPool2d(1)
        )
        self.conv6 = nn.Conv2d(tapped, filters * CLASSES, 1)
        self.pool6 = nn.MaxPool2d(side, stride=side, return_indices=True)
        self.cls6 = nn.Sequential(nn.Conv2d(filters * CLASSES, CLASSES, 1), nn.AdaptiveAvgPool2d(1))
        self.cross_channel_pool = nn.AvgPool1d(filters, stride=filters)

    def forward(self, images):
        middle = self.conv1_conv4(images)
        peaks, places = self.pool6(self.conv6(middle))
        side = self.cross_channel_pool(peaks.flatten(1).unsqueeze(1))
        return self.cls5(self.conv5(middle)).flatten(1), self.cls6(peaks).flatten(1), side.flatten(1), places.flatten(1)


def load_public(public, model):
    """Our state dict into the restated model."""
    ours = model.state_dict()
    with torch.no_grad():
        public.conv6.load_state_dict({"weight": ours["bank.weight"], "bias": ours["bank.bias"]})
        public.cls6[0].load_state_dict({"weight": ours["part.weight"][:, :, None, None], "bias": ours["part.bias"]})
        public.cls5[0].load_state_dict(model.whole[0].state_dict())
        public.cls5[1].load_state_dict(model.whole[1].state_dict())


def test_same_weights_same_numbers_as_the_public_model():
    method, model, criteria = made(global_head="repository")
    images = torch.randn(6, 3, 96, 96)
    with torch.no_grad():
        model.train()(images)  # batch norm's running statistics leave their starting values
        public = PublicModel(model.backbone.net, model.feature_dim, model.bank.in_channels, 3, side=6)
        load_public(public, model)
        ours, theirs = model.eval()(images), public.eval()(images)
        scores = method.scores(model, criteria, images)
    for mine, other in zip((ours.whole, ours.part, ours.side), theirs, strict=False):
        torch.testing.assert_close(mine, other, atol=1e-5, rtol=0)
    assert torch.equal(ours.places, theirs[3])
    torch.testing.assert_close(scores, theirs[0] + theirs[1] + 0.1 * theirs[2], atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("backbone", "size"), [("test_resnet", 96), ("test_resnet", 100), ("test_efficientnet", 64), ("test_convnext", 64)]
)
def test_shapes(backbone, size):
    method, model, _ = made(size, backbone)
    out = model(torch.randn(2, 3, size, size))
    assert out.whole.shape == out.part.shape == out.side.shape == (2, CLASSES)
    assert out.peaks.shape == out.places.shape == (2, 3 * CLASSES)
    assert out.features.shape == (2, model.feature_dim)
    assert {role: shape.feature_dim for role, shape in method.roles(model).items()} == {
        "global": model.feature_dim,
        "part": 12,
        "side": 12,
    }


@pytest.mark.parametrize(
    ("backbone", "tap", "stride"), [("test_resnet", 0, 16), ("test_resnet", 8, 8), ("vgg11_bn", 0, 8)]
)
def test_the_tap_is_where_the_paper_has_it(backbone, tap, stride):
    _, model, _ = made(64, backbone, tap=tap)
    _, tapped = model.backbone.with_tap(torch.randn(1, 3, 64, 64))
    assert tapped.shape[2:] == (64 // stride, 64 // stride)


@pytest.mark.parametrize("global_head", ["linear", "repository"])
def test_losses_are_the_definitions(global_head):
    method, model, criteria = made(global_head=global_head, side_weight=0.3)
    model.eval()
    images, labels = torch.randn(4, 3, 96, 96), torch.arange(4)
    losses, scores = method.training_step(model, criteria, TrainBatch(images, labels))
    out = model(images)

    def crl(logits):
        p = logits.softmax(1)[torch.arange(4), labels]
        return (-p.log() + (2.5 - p).log()).mean()

    torch.testing.assert_close(losses["global"], crl(out.whole))
    torch.testing.assert_close(losses["part"], crl(out.part))
    torch.testing.assert_close(losses["side"], 0.3 * crl(out.side))
    assert set(losses) == {"global", "part", "side"}
    torch.testing.assert_close(scores, out.whole + out.part + 0.3 * out.side)
    sum(losses.values()).backward()
    assert [name for name, parameter in model.named_parameters() if parameter.grad is None] == []


def test_the_loss_goes_to_all_streams_or_where_it_is_sent():
    kinds = [type(criterion).__name__ for criterion in made()[2].by_role.values()]
    assert kinds == ["CompetingRatioLoss"] * 3
    criteria = made(loss=Component("crl", {"where": ["part"]}))[2]
    assert [type(criteria[role]).__name__ for role in ("global", "part", "side")] == [
        "CrossEntropyLoss",
        "CompetingRatioLoss",
        "CrossEntropyLoss",
    ]


def test_soft_targets():
    method, model, criteria = made()
    model.eval()
    images, labels = torch.randn(4, 3, 96, 96), torch.arange(4)
    hard, _ = method.training_step(model, criteria, TrainBatch(images, labels))
    soft, _ = method.training_step(model, criteria, TrainBatch(images, F.one_hot(labels, CLASSES).float()))
    for role, value in hard.items():
        torch.testing.assert_close(value, soft[role])


class Planted(nn.Module):
    """A backbone whose "maps" are its input: what is planted there is what the filters see."""

    def with_tap(self, images):
        return images, images


def planted_set(random, per_class=12, channels=8, side=6):
    """Each class has two patch directions of its own, strong, at random places of a weak background that all share."""
    directions = np.linalg.qr(random.normal(size=(channels, channels)))[0][: 2 * CLASSES]
    images, labels = [], []
    for label in range(CLASSES):
        for i in range(per_class):
            maps = 0.3 * random.normal(size=(channels, side, side)) + 0.5
            y, x = random.integers(0, side, 2)
            maps[:, y, x] += 6 * directions[2 * label + i % 2]
            images.append(maps)
            labels.append(label)
    return torch.tensor(np.stack(images), dtype=torch.float32), torch.tensor(labels)


def side_accuracy(bank, images, labels):
    from finegrained_crl_plugins.dfl.filter_bank import cross_channel_pooling

    return float((cross_channel_pooling(bank(images).values, bank.filters).argmax(1) == labels).float().mean())


def planted_model(method, seed):
    from finegrained_crl_plugins.dfl.filter_bank import FilterBank

    torch.manual_seed(seed)
    model = nn.Module()
    model.num_classes, model.bank, model.backbone = CLASSES, FilterBank(8, CLASSES, method.filters), Planted()
    model.part = nn.Linear(CLASSES * method.filters, CLASSES)
    return model


def test_clustered_filters_find_planted_patches_and_random_ones_do_not():
    random = np.random.default_rng(0)
    images, labels = planted_set(random)
    method = DFL(filters=2)
    model = planted_model(method, 0)
    chance = [side_accuracy(planted_model(method, seed).bank, images, labels) for seed in range(10)]
    notes = method.initialise(model, lambda: [(images[::2], labels[::2]), (images[1::2], labels[1::2])])
    assert "2 clusters per class" in notes[0]
    assert side_accuracy(model.bank, images, labels) > 0.9
    assert np.mean(chance) < 0.5


def test_initialisation_is_deterministic_and_normalised():
    images, labels = planted_set(np.random.default_rng(1))
    weights = []
    for seed in (0, 1):  # whatever the random filters were
        model = planted_model(DFL(filters=2), seed)
        DFL(filters=2).initialise(model, lambda: [(images, labels)])
        weights.append(model.bank.weight.detach().clone())
    assert torch.equal(*weights)
    torch.testing.assert_close(weights[0].flatten(1).norm(dim=1), torch.ones(8))


def test_the_maps_size_makes_no_difference():
    images, labels = planted_set(np.random.default_rng(4))
    small, large = (planted_model(DFL(filters=2), 0) for _ in range(2))
    DFL(filters=2).initialise(small, lambda: [(images, labels)])
    DFL(filters=2).initialise(large, lambda: [(100 * images, labels)])
    torch.testing.assert_close(small.bank(images).values, large.bank(100 * images).values, atol=1e-4, rtol=1e-4)
    assert 0.3 < float(small.bank(images).values.detach().std()) < 3
    torch.testing.assert_close(small.bank(images).values.detach().mean(0), torch.zeros(8), atol=1e-5, rtol=0)


def test_a_class_without_pictures_keeps_its_filters_and_one_with_few_gets_by():
    images, labels = planted_set(np.random.default_rng(2), per_class=1)
    model = planted_model(DFL(filters=5), 0)
    before = model.bank.weight.detach().clone()
    present = labels != 2
    (note,) = DFL(filters=5).initialise(model, lambda: [(images[present], labels[present])])
    assert "1 classes have no training picture" in note
    assert torch.equal(model.bank.weight[10:15], before[10:15])
    assert not torch.equal(model.bank.weight[:10], before[:10])
    assert torch.isfinite(model.bank.weight).all()


def test_only_so_many_pictures_of_a_class_are_looked_at():
    images, labels = planted_set(np.random.default_rng(3))
    few, all_of_them = (planted_model(DFL(filters=2), 0) for _ in range(2))
    DFL(filters=2, max_images_per_class=3).initialise(few, lambda: [(images, labels)])
    first = torch.cat([torch.where(labels == label)[0][:3] for label in range(CLASSES)])
    DFL(filters=2).initialise(all_of_them, lambda: [(images[first], labels[first])])
    torch.testing.assert_close(few.bank.weight, all_of_them.bank.weight)


def test_initialisation_leaves_the_network_as_it_was():
    method, model, _ = made()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.train()
    method.initialise(model, lambda: [(torch.randn(8, 3, 96, 96), torch.arange(8) % CLASSES)])
    assert model.training
    assert {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])} == {
        "bank.weight",
        "bank.bias",
        "bank.scale",
        "part.weight",
        "part.bias",
    }
    out = model.eval()(torch.randn(2, 3, 96, 96))
    torch.testing.assert_close(out.part, out.side)  # the P-stream begins as the side branch
    assert DFL(init="random").initialise(model, lambda: [][0]) == []  # does not even look


def test_explanations_point_at_the_peaks():
    method, model, criteria = made(tap=8)
    image = torch.randn(1, 3, 96, 64)
    (panel,) = method.explanations(model.eval(), criteria, image, NAMES)
    label = int(method.scores(model, criteria, image).argmax())
    assert panel.title == f"strongest filters of {NAMES[label]}"
    assert torch.equal(panel.image, image[0])
    _, tapped = model.backbone.with_tap(image)
    responses = F.conv2d(tapped, model.bank.weight, model.bank.bias).detach()[0, 3 * label : 3 * label + 3]
    strongest = sorted(range(3), key=lambda j: -float(responses[j].max()))
    assert [text for _, _, text in panel.points] == [str(j) for j in strongest]
    for (x, y, _), j in zip(panel.points, strongest, strict=True):
        assert responses[j, int(y // 8), int(x // 8)] == responses[j].max()
        assert (x % 8, y % 8) == (4, 4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"filters": 0}, r"--method.filters 0: must be at least 1"),
        ({"tap": 4}, r"--method.tap 4: must be 8, 16 or 32"),
        ({"side_weight": -0.1}, r"--method.side-weight -0.1: must not be negative"),
        ({"max_images_per_class": 0}, r"--method.max-images-per-class 0: must be at least 1"),
        ({"init": "kmeans"}, r"--method.init kmeans: .*clusters, random"),
        ({"global_head": "linea"}, r"--method.global-head linea: did you mean 'linear'\?"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(FinegrainedError, match=message):
        DFL(**options)


def test_dropout_is_before_both_classifiers_in_training_only():
    torch.manual_seed(0)
    model = DFL(filters=3).build(ModelSpec("test_resnet", CLASSES, "none", 0.5, 0.0, 96)).eval()
    model.part.bias.data.zero_()
    images = torch.randn(64, 3, 96, 96)
    quiet = model(images)
    torch.testing.assert_close(quiet.whole, model.whole(quiet.features))
    torch.testing.assert_close(quiet.part, model.part(quiet.peaks))
    model.training = True  # the flag alone: batch norms keep their statistics
    dropped = model(images)
    torch.testing.assert_close(dropped.peaks, quiet.peaks)
    alive = quiet.features > 0
    kept = dropped.features[alive] > 0
    assert 0.3 < kept.float().mean() < 0.7
    torch.testing.assert_close(dropped.features[alive][kept], 2 * quiet.features[alive][kept])
    assert not torch.equal(dropped.part, quiet.part)


def test_a_stride_that_was_asked_for_is_not_replaced():
    with pytest.raises(FinegrainedError, match="has no feature maps of stride 8; it has 16"):
        DFL(tap=8).build(ModelSpec("test_vit", CLASSES, "none", 0.0, 0.0, 64))


def test_the_heads_are_the_bank_and_both_classifiers():
    _, model, _ = made()
    assert model.head_modules() == [model.bank, model.part, model.whole]
