"""What every loss promises: the three ways to be called, its settings, and that it can be copied, moved, compiled and
differentiated."""

import copy
import inspect
import pickle
import re
import sys
import warnings
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

import finegrained_crl.losses as package
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.losses.catalogue import LOSSES, NOT_SETTINGS, build_criterion, loss_class, option_names, summary_of

CLASSES, FEATURES = 5, 7
ON_LOGITS = [name for name in LOSSES if loss_class(name).needs == "logits"]
SMOOTH = [n for n in ON_LOGITS if n != "dldl"]  # |mu - y| has a corner
OURS = [n for n in LOSSES if n not in ("ce", "smoothing")]  # those two are PyTorch's own
NEEDS_TWO_CLASSES = ("nllr", "cdw-ce", "sord", "crl-sord", "crl-dldl", "dldl", "soft-labels")
DOUBLE = torch.float64


def build(name, num_classes=CLASSES, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return build_criterion(name, options, num_classes=num_classes, feature_dim=FEATURES)


def batch(dtype=torch.float32, size=6, classes=CLASSES):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(size, classes, generator=generator, dtype=dtype)
    features = torch.randn(size, FEATURES, generator=generator, dtype=dtype)
    return logits, features, torch.arange(size) % classes


def call(criterion, logits, features, target):
    inputs = {"logits": (logits, target), "features": (logits, target, features), "classifier": (features, target)}
    return criterion(*inputs[criterion.needs])


@pytest.mark.parametrize("name", LOSSES)
def test_works_as_declared(name):
    criterion = build(name)
    logits, features, target = (t.requires_grad_() if t.is_floating_point() else t for t in batch())
    value = call(criterion, logits, features, target)
    value.backward()
    assert value.shape == ()
    assert value.isfinite()
    used = features if criterion.needs == "classifier" else logits
    assert used.grad.isfinite().all()
    assert used.grad.abs().sum() > 0
    if criterion.needs == "classifier":
        scores = criterion.scores(features)
        assert scores.shape == (6, CLASSES)
        assert scores.isfinite().all()
    if criterion.takes_soft_targets:
        soft = call(criterion, logits.detach(), features.detach(), F.one_hot(target, CLASSES).float())
        torch.testing.assert_close(soft, call(criterion, logits.detach(), features.detach(), target))


@pytest.mark.parametrize("name", LOSSES)
def test_is_described(name):
    cls = loss_class(name)
    assert 15 <= len(summary_of(name)) <= 110
    assert "\n" not in summary_of(name)
    assert cls.__name__ in package.__all__
    documented = set(re.findall(r"^\s{8}(\w+): ", inspect.getdoc(cls).replace("\n", "\n    "), re.MULTILINE))
    assert set(inspect.signature(cls).parameters) <= documented


@pytest.mark.parametrize("name", LOSSES)
def test_copies_pickles_moves_and_shows_its_settings(name):
    criterion = build(name)
    inputs = batch()
    for twin in (copy.deepcopy(criterion), pickle.loads(pickle.dumps(criterion))):
        torch.testing.assert_close(call(twin.eval(), *inputs), call(copy.deepcopy(criterion).eval(), *inputs))
    shown = repr(criterion)
    for setting in option_names(type(criterion)):
        keyword_only = inspect.signature(type(criterion)).parameters[setting].kind is inspect.Parameter.KEYWORD_ONLY
        assert keyword_only or f"{setting}=" in shown
    assert all(t.device.type == "meta" for t in copy.deepcopy(criterion).to("meta").state_dict().values())


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_inputs_give_a_float32_loss(name, dtype):
    logits, features, target = batch()
    criterion = build(name)
    if list(criterion.parameters()):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            value = call(criterion, logits, features.to(torch.bfloat16), target)
        assert value.isfinite()
    else:
        value = call(criterion, logits.to(dtype), features.to(dtype), target)
        reference = call(build(name), logits.to(dtype).float(), features.to(dtype).float(), target)
        assert value.dtype == torch.float32
        torch.testing.assert_close(value, reference)


@pytest.mark.parametrize("name", ON_LOGITS)
def test_adding_a_constant_to_the_logits_changes_nothing(name):
    logits, features, target = batch(DOUBLE)
    criterion = build(name)
    shifted = call(criterion, logits + torch.linspace(-50, 50, 6, dtype=DOUBLE).unsqueeze(1), features, target)
    torch.testing.assert_close(shifted, call(criterion, logits, features, target))
    logits.requires_grad_()
    (gradient,) = torch.autograd.grad(call(criterion, logits, features, target), logits)
    torch.testing.assert_close(gradient.sum(1), torch.zeros(6, dtype=DOUBLE), atol=1e-12, rtol=0)


@pytest.mark.parametrize("name", SMOOTH)
def test_first_and_second_derivatives(name):
    logits, _, target = batch(DOUBLE, size=2)
    criterion = build(name).double()
    assert torch.autograd.gradcheck(lambda z: criterion(z, target), logits.requires_grad_())
    assert torch.autograd.gradgradcheck(lambda z: criterion(z, target), logits)


@pytest.mark.parametrize("name", [n for n in ON_LOGITS if n in OURS])
def test_extreme_logits_stay_finite(name):
    logits = torch.tensor(
        [[1e4, -1e4, 0.0, 1e4, 3.0], [-1e4, 1e4, 0.0, 3.0, 1.0], [1e4, 0.0, 0.0, 0.0, 0.0]], requires_grad=True
    )
    value = build(name)(logits, torch.tensor([0, 0, 0]))
    value.backward()
    assert value.isfinite()
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize(
    "name", [n for n in ON_LOGITS if issubclass(loss_class(n), torch.nn.CrossEntropyLoss) and n != "smoothing"]
)
def test_masked_classes_are_legal(name):
    logits = torch.tensor([[2.0, -torch.inf, 0.5, -torch.inf], [0.1, -torch.inf, 0.7, -torch.inf]], requires_grad=True)
    value = build(name)(logits, torch.tensor([0, 2]))
    value.backward()
    assert value.isfinite()
    assert logits.grad.isfinite().all()
    assert (logits.grad[:, [1, 3]] == 0).all()


@pytest.mark.parametrize("name", ON_LOGITS)
def test_ignored_rows_and_empty_batches(name):
    criterion = build(name)
    logits, _features, target = batch()
    gaps = target.clone()
    gaps[2:4] = -100
    kept = gaps != -100
    torch.testing.assert_close(criterion(logits, gaps), criterion(logits[kept], target[kept]))
    assert criterion(logits, torch.full((6,), -100)).isnan()
    assert criterion(logits[:0], target[:0]).isnan()


@pytest.mark.parametrize("name", ON_LOGITS)
def test_reductions_agree(name):
    logits, _, target = batch(DOUBLE)
    cls, sizes = loss_class(name), {"num_classes": CLASSES} if name == "soft-labels" else {}
    weight = torch.tensor([1.0, 2.0, 0.5, 3.0, 0.1], dtype=DOUBLE)
    for weights, share in ((None, torch.ones(6, dtype=DOUBLE)), (weight, weight[target])):
        each, total, mean = (cls(**sizes, weight=weights, reduction=r)(logits, target) for r in ("none", "sum", "mean"))
        assert each.shape == (6,)
        torch.testing.assert_close(total, each.sum())
        if name != "smoothing":
            torch.testing.assert_close(mean, total / share.sum())


@pytest.mark.parametrize("name", ON_LOGITS)
def test_two_classes_and_one(name):
    logits, _, target = batch(classes=2)
    assert build(name, num_classes=2)(logits, target).isfinite()
    one = (torch.randn(3, 1), torch.zeros(3, dtype=torch.long))
    if name in NEEDS_TWO_CLASSES:
        with pytest.raises((ValueError, FinegrainedError), match="2"):
            build(name, num_classes=1)(*one)
    else:
        assert build(name)(*one).isfinite()


@pytest.mark.parametrize("name", ON_LOGITS)
def test_function_transforms(name):
    logits, _, target = batch(DOUBLE)
    criterion = build(name).double()
    gradients = torch.func.vmap(torch.func.grad(lambda z, y: criterion(z.unsqueeze(0), y.unsqueeze(0))))(logits, target)
    (expected,) = torch.autograd.grad(criterion(logits.requires_grad_(), target) * 6, logits)
    torch.testing.assert_close(gradients, expected)


@pytest.mark.parametrize("name", ON_LOGITS)
def test_compiles_without_a_break(name):
    logits, _, target = batch()
    criterion = build(name)
    torch.compiler.reset()
    compiled = torch.compile(criterion, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(logits, target), criterion(logits, target))


@pytest.mark.slow
def test_compiles_with_inductor():
    logits, _, target = batch()
    criterion = build("crl")
    torch.testing.assert_close(torch.compile(criterion, fullgraph=True)(logits, target), criterion(logits, target))


def test_every_loss_has_its_row_in_the_docs():
    page = (Path(__file__).parents[2] / "docs" / "losses.md").read_text(encoding="utf-8")
    for name in LOSSES:
        assert f"`{name}`" in page
        assert loss_class(name).__name__ in page


def test_options_are_plain():
    for name in LOSSES:
        for option in option_names(loss_class(name)):
            parameter = inspect.signature(loss_class(name)).parameters[option]
            assert parameter.default is not inspect.Parameter.empty, f"{name} cannot be built without {option}"
            assert option not in NOT_SETTINGS


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("crll", {}, "unknown loss 'crll': did you mean 'crl'? Known: a-softmax, "),
        ("crl", {"alpha": -1.0}, "--loss crl: alpha must be >= 0, got -1.0"),
        (
            "crl",
            {"alhpa": 1.0},
            "--loss crl: unknown option 'alhpa', did you mean 'alpha'? Known: alpha, beta, subtract_floor",
        ),
        (
            "crl",
            {"label_smoothing": 0.1},
            "--loss crl: label smoothing is a setting of the recipe; give --label-smoothing 0.1",
        ),
        ("crl", {"weight": None}, "--loss crl: unknown option 'weight', Known: alpha"),
        ("focal", {"gamma": -2}, "--loss focal: gamma must be >= 0, got -2"),
        ("triplet", {"mining": "soft"}, "--loss triplet: mining must be one of all, easy, semihard, hard, got 'soft'"),
    ],
)
def test_mistakes_are_one_line(name, options, message):
    with pytest.raises(FinegrainedError) as caught:
        build_criterion(name, options, num_classes=3, feature_dim=4)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "package_name", "extra"),
    [
        ("triplet", "pytorch_metric_learning", "metric"),
        ("corn", "coral_pytorch", "ordinal"),
        ("soft-labels", "dlordinal", "ordinal"),
    ],
)
def test_a_missing_library_names_its_extra(name, package_name, extra, monkeypatch):
    for module in list(sys.modules):
        if module.partition(".")[0] == package_name:
            monkeypatch.delitem(sys.modules, module)
    monkeypatch.setattr(sys, "meta_path", [Hidden(package_name), *sys.meta_path])
    with pytest.raises(FinegrainedError) as caught:
        build(name)
    expected = (
        f"--loss {name}: this loss needs {package_name}, which is not installed; run: pip install"
        f' "finegrained-crl[{extra}]"'
    )
    assert str(caught.value) == expected


class Hidden:
    """An import finder that says a package is not there."""

    def __init__(self, name):
        self.name = name

    def find_spec(self, fullname, path=None, target=None):
        if fullname.partition(".")[0] == self.name:
            raise ModuleNotFoundError(f"No module named '{fullname}'", name=fullname)
