"""Competing Ratio Loss: the tests T1-T13 of the loss reference (T12 stands in test_link.py), golden values and the
contract."""

import copy
import itertools
import math
import pickle
import warnings

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from finegrained_crl import CompetingRatioLoss, competing_ratio_loss
from finegrained_crl.losses import (
    DualCrossEntropyLoss,
    NegativeLogLikelihoodRatioLoss,
    PaperEq14Loss,
    SoftMarginSoftmaxLoss,
)
from finegrained_crl.losses.competing_ratio import SMALL_ALPHA, competing_ratio_losses

DOUBLE = torch.float64
SETTINGS = [(1.5, 1.0), (1.0, 1.0), (1.0, 1.25), (2.0, 0.25), (0.3, 0.7), (1e-5, 1.0), (0.0, 1.0), (0.0, 0.5)]


def rows(count=6, classes=5, seed=0, dtype=DOUBLE):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, classes, generator=generator, dtype=dtype) * 2, torch.randint(
        classes, (count,), generator=generator
    )


def plain_loop(logits, target, alpha, beta):
    """Eq. 11, row by row, with math and floats only."""
    losses = []
    for row, c in zip(logits.double().tolist(), target.tolist(), strict=True):
        top = max(row)
        exps = [math.exp(z - top) for z in row]
        p = exps[c] / sum(exps)
        losses.append(-math.log(p) + beta * math.log(alpha + sum(e for k, e in enumerate(exps) if k != c) / sum(exps)))
    return torch.tensor(losses, dtype=DOUBLE)


GOLDEN = [
    ([0.0, 0.0], 0, 1.5, 1.0, 1.386294361119891, [-0.625, 0.625]),
    ([2.0, 0.0, -1.0], 0, 1.5, 1.0, 0.6743750204457506, [-0.235787901371, 0.172374768035, 0.0634131333366]),
    ([2.0, 0.0, -1.0], 2, 1.5, 1.0, 4.069189935437851, [0.858216222589, 0.116146935562, -0.974363158151]),
    ([2.0, 0.0, -1.0], 1, 2.0, 0.25, 2.43479697490874, [0.852142259228, -0.894567924147, 0.0424256649193]),
    (
        [1.0, 2.0, 3.0, 4.0],
        3,
        1.0,
        1.25,
        0.8209427206741612,
        [0.051086706734, 0.138868066591, 0.377482541967, -0.567437315292],
    ),
    ([0.0] * 8, 5, 1.5, 1.0, 2.94443897916644, [0.131578947368] * 5 + [-0.921052631579] + [0.131578947368] * 2),
]


@pytest.mark.parametrize(("row", "label", "alpha", "beta", "loss", "gradient"), GOLDEN)
def test_golden_values(row, label, alpha, beta, loss, gradient):
    logits = torch.tensor([row], dtype=DOUBLE, requires_grad=True)
    value = competing_ratio_loss(logits, torch.tensor([label]), alpha, beta)
    (found,) = torch.autograd.grad(value, logits)
    assert value.item() == pytest.approx(loss, abs=1e-13)
    torch.testing.assert_close(found[0], torch.tensor(gradient, dtype=DOUBLE), atol=1e-11, rtol=0)


@pytest.mark.parametrize(("alpha", "beta"), SETTINGS)
@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE])
def test_equals_the_plain_loop(alpha, beta, dtype):
    logits, target = rows(dtype=dtype)
    value = competing_ratio_loss(logits, target, alpha, beta, reduction="none")
    assert value.dtype == dtype
    torch.testing.assert_close(value.double(), plain_loop(logits, target, alpha, beta), atol=1e-5, rtol=1e-5)
    if dtype == DOUBLE:
        torch.testing.assert_close(value, plain_loop(logits, target, alpha, beta), atol=1e-12, rtol=1e-12)


def every_option():
    shapes = [(5,), (7, 5), (4, 5, 3), (2, 5, 3, 2)]
    options = itertools.product(
        shapes, [False, True], [-100, 2], ["none", "mean", "sum"], [0.0, 0.1, 1.0], ["indices", "probabilities"]
    )
    return [o for o in options if not (o[-1] == "probabilities" and o[2] >= 0)]  # PyTorch refuses ignore_index there


def example(shape, weighted, ignored, kind):
    generator = torch.Generator().manual_seed(len(shape))
    axis = min(len(shape) - 1, 1)
    logits = torch.randn(shape, generator=generator)
    if kind == "probabilities":
        target = torch.randn(shape, generator=generator).softmax(axis)
    else:
        target = torch.randint(5, shape[:axis] + shape[axis + 1 :], generator=generator)
        target = torch.where(torch.rand(target.shape, generator=generator) < 0.2, ignored, target)
    return logits, target, torch.rand(5, generator=generator) if weighted else None


@pytest.mark.parametrize(("shape", "weighted", "ignored", "reduction", "smoothing", "kind"), every_option())
def test_t1_beta_zero_is_cross_entropy_bit_for_bit(shape, weighted, ignored, reduction, smoothing, kind):
    logits, target, weight = example(shape, weighted, ignored, kind)
    options = {"weight": weight, "ignore_index": ignored, "reduction": reduction, "label_smoothing": smoothing}
    expected = F.cross_entropy(logits, target, **options)
    assert torch.equal(competing_ratio_loss(logits, target, beta=0.0, **options), expected) or expected.isnan().all()
    assert torch.equal(CompetingRatioLoss(beta=0, **options)(logits, target), expected) or expected.isnan().all()
    # The general path, at a beta whose term is below rounding, follows the same rules.
    for alpha in (1.5, 0.0):
        close = competing_ratio_loss(logits, target, alpha, 1e-12, **options)
        torch.testing.assert_close(close, expected, equal_nan=True)


@pytest.mark.parametrize("alpha", [0.2, 1.0, 1.5, 2.0])
def test_t2_beta_one_is_soft_margin_softmax_plus_log_alpha(alpha):
    logits, target = rows(64)
    margin = math.log1p(1 / alpha)
    shifted = logits - margin * F.one_hot(target, 5).double()
    ours = competing_ratio_loss(logits, target, alpha, 1.0, reduction="none")
    torch.testing.assert_close(
        ours, F.cross_entropy(shifted, target, reduction="none") + math.log(alpha), atol=1e-13, rtol=0
    )
    torch.testing.assert_close(
        ours, SoftMarginSoftmaxLoss(margin, reduction="none")(logits, target) + math.log(alpha), atol=1e-13, rtol=0
    )


def test_t3_is_a_mixture_of_cross_entropy_and_soft_margin():
    for seed in range(100):
        logits, target = rows(3, seed=seed)
        alpha, beta = torch.rand(2, generator=torch.Generator().manual_seed(seed)).mul(3).add(0.05).tolist()
        margin = math.log1p(1 / alpha)
        mixture = (1 - beta) * F.cross_entropy(logits, target) + beta * SoftMarginSoftmaxLoss(margin)(logits, target)
        torch.testing.assert_close(
            competing_ratio_loss(logits, target, alpha, beta), mixture + beta * math.log(alpha), atol=1e-13, rtol=0
        )


def test_t4_alpha_zero_beta_one_is_nllr():
    logits, target = rows(50)
    expected = torch.stack(
        [row[torch.arange(5) != c].logsumexp(0) - row[c] for row, c in zip(logits, target, strict=True)]
    )
    torch.testing.assert_close(
        competing_ratio_loss(logits, target, 0.0, 1.0, reduction="none"), expected, atol=1e-13, rtol=0
    )
    torch.testing.assert_close(
        NegativeLogLikelihoodRatioLoss(reduction="none")(logits, target), expected, atol=1e-13, rtol=0
    )


def test_t5_two_classes_equal_dual_cross_entropy():
    logits, target = rows(50, classes=2)
    for alpha, beta in [(1.5, 1.0), (0.4, 0.8)]:
        torch.testing.assert_close(
            competing_ratio_loss(logits, target, alpha, beta),
            DualCrossEntropyLoss(alpha, beta)(logits, target),
            atol=1e-14,
            rtol=0,
        )


@pytest.mark.parametrize(("alpha", "beta"), SETTINGS)
def test_t7_gradient_is_the_gain_times_cross_entropys(alpha, beta):
    logits, target = rows(20)
    logits.requires_grad_()
    (found,) = torch.autograd.grad(competing_ratio_loss(logits, target, alpha, beta, reduction="sum"), logits)
    p = logits.detach().softmax(1)
    own = p.gather(1, target.unsqueeze(1))
    gain = 1 + beta * own / (alpha + 1 - own)
    torch.testing.assert_close(found, gain * (p - F.one_hot(target, 5)), atol=1e-12, rtol=1e-12)
    torch.testing.assert_close(found.sum(1), torch.zeros(20, dtype=DOUBLE), atol=1e-12, rtol=0)


class ClosedForm(torch.autograd.Function):
    """The loss with its gradient written by hand."""

    @staticmethod
    def forward(ctx, logits, target, alpha, beta):
        p = logits.softmax(1)
        own = p.gather(1, target.unsqueeze(1))
        ctx.save_for_backward((1 + beta * own / (alpha + 1 - own)) * (p - F.one_hot(target, p.shape[1])) / len(p))
        return (-own.log() + beta * (alpha + 1 - own).log()).mean()

    @staticmethod
    def backward(ctx, grad):
        return grad * ctx.saved_tensors[0], None, None, None


def test_t7_autograd_equals_a_hand_written_function():
    logits, target = rows(20)
    both = []
    for loss in (ClosedForm.apply, competing_ratio_loss):
        leaf = logits.clone().requires_grad_()
        value = loss(leaf, target, 1.5, 1.0)
        both.append((value.detach(), *torch.autograd.grad(value, leaf)))
    torch.testing.assert_close(both[0], both[1])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_t8_extreme_logits(dtype):
    """The table of extremes: no gap is too large for a finite loss with the right gradient, in any type."""
    cases = [
        ([0.0, 1e4], 0, 1.5, 1.0, 1e4 + math.log(2.5), -1.0),
        ([0.0, 20.0], 0, 1.5, 1.0, 20 + math.log(2.5), -1.0),
        ([1e4, 0.0], 0, 1.5, 1.0, math.log(1.5), 0.0),
        ([3.0, 0.0], 0, 1.5, 1.0, 0.48518, -0.07662),
        ([20.0, 0.0], 0, 0.0, 1.0, -20.0, -1.0),
        ([1e4, 0.0], 0, 0.0, 1.0, -1e4, -1.0),
        ([0.0, 1e4], 0, 0.0, 1.0, 1e4, -1.0),
    ]
    for row, label, alpha, beta, loss, slope in cases:
        logits = torch.tensor([row], dtype=dtype, requires_grad=True)
        value = competing_ratio_loss(logits, torch.tensor([label]), alpha, beta)
        (found,) = torch.autograd.grad(value, logits)
        exact = loss - row[1] + logits[0, 1].item() if row[1] > 100 else loss
        exact = exact + row[0] - logits[0, 0].item() if loss < -100 else exact
        assert value.dtype == torch.float32
        assert value.item() == pytest.approx(exact, rel=2e-6, abs=6e-6)
        assert found[0, 0].item() == pytest.approx(slope, abs=4e-4)
        assert found.isfinite().all()


def test_t8_both_signs_of_1e4_with_many_classes():
    logits = torch.tensor([[1e4, -1e4, 0.0], [-1e4, 1e4, 0.0], [-1e4, -1e4, -1e4]], requires_grad=True)
    for alpha in (1.5, 0.0):
        value = competing_ratio_loss(logits, torch.tensor([0, 0, 1]), alpha, reduction="none")
        (found,) = torch.autograd.grad(value.sum(), logits)
        assert value.isfinite().all()
        assert found.isfinite().all()


def test_t9_ignored_rows_give_neither_value_nor_count():
    logits, target = rows(8)
    gaps = target.clone()
    gaps[[1, 4, 5]] = -100
    kept = gaps != -100
    for options in ({}, {"weight": torch.rand(5, dtype=DOUBLE)}, {"label_smoothing": 0.2}, {"subtract_floor": True}):
        for alpha in (1.5, 0.0):
            for reduction in ("mean", "sum"):
                whole = competing_ratio_loss(logits, gaps, alpha, reduction=reduction, **options)
                part = competing_ratio_loss(logits[kept], target[kept], alpha, reduction=reduction, **options)
                torch.testing.assert_close(whole, part)
            each = competing_ratio_loss(logits, gaps, alpha, reduction="none", **options)
            assert (each[~kept] == 0).all()
    leaf = logits.clone().requires_grad_()
    (found,) = torch.autograd.grad(competing_ratio_loss(leaf, gaps), leaf)
    assert (found[~kept] == 0).all()


@pytest.mark.parametrize(("alpha", "beta"), SETTINGS)
def test_t10_one_hot_is_hard_and_mixup_is_linear(alpha, beta):
    logits, first = rows(9, seed=1)
    _, second = rows(9, seed=2)
    a, b = F.one_hot(first, 5).double(), F.one_hot(second, 5).double()
    hard = [competing_ratio_loss(logits, y, alpha, beta) for y in (first, second)]
    torch.testing.assert_close(competing_ratio_loss(logits, a, alpha, beta), hard[0], atol=1e-12, rtol=1e-12)
    mixed = competing_ratio_loss(logits, 0.3 * a + 0.7 * b, alpha, beta)
    torch.testing.assert_close(mixed, 0.3 * hard[0] + 0.7 * hard[1], atol=1e-12, rtol=1e-12)


def test_t10_gradient_of_soft_targets():
    logits, _ = rows(4)
    q = torch.rand(4, 5, dtype=DOUBLE).softmax(1)
    logits.requires_grad_()
    (found,) = torch.autograd.grad(competing_ratio_loss(logits, q, reduction="sum"), logits)
    p = logits.detach().softmax(1)
    gain = 1 + p / (2.5 - p)
    torch.testing.assert_close(found, p * (q * gain).sum(1, keepdim=True) - q * gain, atol=1e-13, rtol=0)


@pytest.mark.parametrize(
    ("alpha", "beta", "convex"),
    [(1.5, 2.5, True), (1.5, 1.0, True), (0.0, 1.0, True), (1.5, 3.0, False), (0.2, 2.0, False)],
)
def test_t11_convex_exactly_up_to_beta_of_one_plus_alpha(alpha, beta, convex):
    lowest = 0.0
    for seed in range(60):
        logits, target = rows(1, classes=3, seed=seed)
        hessian = torch.autograd.functional.hessian(
            lambda z, target=target: competing_ratio_loss(z.unsqueeze(0), target, alpha, beta), logits[0]
        )
        lowest = min(lowest, torch.linalg.eigvalsh(hessian)[0].item())
    assert (lowest > -1e-10) == convex


def train(criterion, steps=50):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4)).double()
    data, labels = torch.randn(64, 8, dtype=DOUBLE), torch.randint(4, (64,))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for _ in range(steps):
        optimizer.zero_grad()
        criterion(model(data), labels).backward()
        optimizer.step()
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def test_t13_training_equals_soft_margin_to_rounding_and_cross_entropy_bit_for_bit():
    from finegrained_crl.losses import SoftMarginSoftmaxLoss

    margin = SoftMarginSoftmaxLoss(math.log1p(1 / 1.5))
    torch.testing.assert_close(train(CompetingRatioLoss()), train(margin), atol=1e-12, rtol=1e-12)
    assert torch.equal(train(CompetingRatioLoss(beta=0.0)), train(nn.CrossEntropyLoss()))
    assert not torch.allclose(train(CompetingRatioLoss()), train(nn.CrossEntropyLoss()), atol=1e-3)


@pytest.mark.parametrize("p", [0.01, 0.3, 0.9, 0.99])
def test_authors_formula_agrees_where_its_clamp_is_idle(p):
    """log((A - p)^beta / p + 1e-7) on clamped probabilities, as released, in float64 and mid-range."""
    logits = torch.tensor([[math.log(p), math.log(1 - p)]], dtype=DOUBLE)
    clamped = logits.softmax(1)[0, 0].clamp(1e-7, 1 - 1e-7)
    released = ((2.5 - clamped) ** 1.0 / clamped + 1e-7).log()
    torch.testing.assert_close(competing_ratio_loss(logits, torch.tensor([0])), released, atol=1e-6, rtol=0)


@pytest.mark.parametrize("target", ["indices", "probabilities"])
@pytest.mark.parametrize(("alpha", "beta"), SETTINGS)
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_first_and_second_derivatives(alpha, beta, target, smoothing):
    logits, labels = rows(3, classes=4)
    goal = labels if target == "indices" else torch.rand(3, 4, dtype=DOUBLE).softmax(1)

    def loss(z):
        return competing_ratio_loss(z, goal, alpha, beta, label_smoothing=smoothing)

    assert torch.autograd.gradcheck(loss, logits.requires_grad_())
    assert torch.autograd.gradgradcheck(loss, logits)


@pytest.mark.parametrize("beta", [1.0, 0.6, 2.0])
def test_the_branch_for_small_alpha_continues_the_other(beta):
    logits, target = rows(30)
    below = competing_ratio_loss(logits, target, SMALL_ALPHA * (1 - 1e-9), beta)
    above = competing_ratio_loss(logits, target, SMALL_ALPHA, beta)
    torch.testing.assert_close(below, above, atol=1e-8, rtol=0)


@pytest.mark.parametrize("alpha", [1.5, 0.5, 1e-5])
def test_subtract_floor_moves_the_value_to_zero_and_leaves_the_gradient(alpha):
    logits, target = rows(5)
    q = torch.rand(5, 5, dtype=DOUBLE).softmax(1)
    for goal in (target, q):
        for options in ({}, {"label_smoothing": 0.1}):
            leaf = logits.clone().requires_grad_()
            values = [
                competing_ratio_loss(leaf, goal, alpha, 0.8, subtract_floor=flag, **options) for flag in (False, True)
            ]
            torch.testing.assert_close(values[0] - values[1], torch.tensor(0.8 * math.log(alpha), dtype=DOUBLE))
            torch.testing.assert_close(*(torch.autograd.grad(v, leaf)[0] for v in values))
    solved = torch.tensor([[1e4, 0.0]])
    assert competing_ratio_loss(solved, torch.tensor([0]), alpha, subtract_floor=True).item() == pytest.approx(
        0, abs=1e-6
    )


def test_one_class_is_constant_and_alpha_zero_refuses_it():
    logits = torch.randn(4, 1, requires_grad=True)
    value = competing_ratio_loss(logits, torch.zeros(4, dtype=torch.long))
    value.backward()
    assert value.item() == pytest.approx(math.log(1.5))
    assert (logits.grad == 0).all()
    with pytest.raises(ValueError, match="alpha = 0 needs at least 2 classes, got 1"):
        competing_ratio_loss(logits, torch.zeros(4, dtype=torch.long), alpha=0.0)


@pytest.mark.parametrize("alpha", [1.5, 0.0])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_nothing_left_behaves_as_pytorch(alpha, smoothing):
    empty = (torch.zeros(0, 5, requires_grad=True), torch.zeros(0, dtype=torch.long))
    ignored = (torch.randn(3, 5, requires_grad=True), torch.full((3,), -100))
    for logits, target in (empty, ignored):
        for reduction in ("none", "mean", "sum"):
            options = {"reduction": reduction, "label_smoothing": smoothing}
            ours = competing_ratio_loss(logits, target, alpha, **options)
            torch.testing.assert_close(ours, F.cross_entropy(logits, target, **options), equal_nan=True)
            ours.sum().backward()


@pytest.mark.parametrize("alpha", [1.5, 0.0])
def test_masked_classes_are_legal(alpha):
    logits = torch.tensor([[2.0, -math.inf, 0.5, -math.inf]], requires_grad=True)
    value = competing_ratio_loss(logits, torch.tensor([0]), alpha)
    value.backward()
    torch.testing.assert_close(value, competing_ratio_loss(torch.tensor([[2.0, 0.5]]), torch.tensor([0]), alpha))
    assert logits.grad.isfinite().all()
    assert (logits.grad[0, [1, 3]] == 0).all()


def test_half_precision_reads_the_logits_in_float32():
    logits, target = rows(32, dtype=torch.float32)
    for dtype in (torch.float16, torch.bfloat16):
        half = logits.to(dtype)
        assert torch.equal(competing_ratio_loss(half, target), competing_ratio_loss(half.float(), target))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        layer = nn.Linear(5, 5)
        scores = layer(logits)
        assert scores.dtype == torch.bfloat16
        value = competing_ratio_loss(scores, target)
    assert value.dtype == torch.float32
    value.backward()
    assert layer.weight.grad.isfinite().all()


@pytest.mark.parametrize("alpha", [1.5, 0.0])
def test_compiles_without_a_break(alpha):
    logits, target = rows(dtype=torch.float32)
    q = torch.rand(6, 5).softmax(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        criterion = CompetingRatioLoss(alpha, label_smoothing=0.1)
    compiled = torch.compile(criterion, fullgraph=True, backend="aot_eager")
    function = torch.compile(competing_ratio_loss, fullgraph=True, backend="aot_eager")
    for goal in (target, q):
        leaves = [logits.clone().requires_grad_() for _ in range(2)]
        values = [loss(leaf, goal) for loss, leaf in zip((criterion, compiled), leaves, strict=True)]
        torch.testing.assert_close(*values)
        torch.testing.assert_close(*(torch.autograd.grad(v, leaf)[0] for v, leaf in zip(values, leaves, strict=True)))
    torch.testing.assert_close(function(logits, target, alpha), competing_ratio_loss(logits, target, alpha))


def test_compiles_with_changing_settings():
    logits, target = rows(dtype=torch.float32)
    function = torch.compile(competing_ratio_loss, fullgraph=True, backend="eager")
    for alpha, beta in [(1.5, 1.0), (2.0, 0.25), (1.0, 0.5), (0.7, 0.4)]:
        torch.testing.assert_close(
            function(logits, target, alpha, beta), competing_ratio_loss(logits, target, alpha, beta)
        )


@pytest.mark.parametrize("alpha", [1.5, 0.0])
def test_function_transforms(alpha):
    logits, target = rows()
    each = torch.func.vmap(lambda z, y: competing_ratio_loss(z, y, alpha))(logits, target)
    torch.testing.assert_close(each, competing_ratio_loss(logits, target, alpha, reduction="none"))
    gradients = torch.func.vmap(torch.func.grad(lambda z, y: competing_ratio_loss(z, y, alpha)))(logits, target)
    leaf = logits.clone().requires_grad_()
    (expected,) = torch.autograd.grad(competing_ratio_loss(leaf, target, alpha, reduction="sum"), leaf)
    torch.testing.assert_close(gradients, expected)


def test_is_a_cross_entropy_loss_that_copies_pickles_moves_and_shows_itself():
    criterion = CompetingRatioLoss(2.0, 0.5, weight=torch.ones(5), label_smoothing=0.1, subtract_floor=True)
    assert isinstance(criterion, nn.CrossEntropyLoss)
    assert repr(criterion) == (
        "CompetingRatioLoss(alpha=2.0, beta=0.5, weight=<(5,)>, label_smoothing=0.1, subtract_floor=True)"
    )
    assert repr(CompetingRatioLoss()) == "CompetingRatioLoss(alpha=1.5, beta=1.0)"
    logits, target = rows(dtype=torch.float32)
    for twin in (copy.deepcopy(criterion), pickle.loads(pickle.dumps(criterion))):
        assert torch.equal(twin(logits, target), criterion(logits, target))
    assert criterion.double().weight.dtype == DOUBLE
    assert criterion.to("meta").weight.device.type == "meta"


def test_class_table_is_what_the_loss_picks_from():
    logits, target = rows()
    table = competing_ratio_losses(logits, 1.5, 1.0)
    torch.testing.assert_close(
        table.gather(1, target.unsqueeze(1)).mean(), competing_ratio_loss(logits, target), atol=1e-14, rtol=0
    )


def test_printed_equation_is_the_other_sign():
    logits, target = rows()
    leaf = logits.clone().requires_grad_()
    (found,) = torch.autograd.grad(PaperEq14Loss(reduction="sum")(leaf, target), leaf)
    p = logits.softmax(1)
    own = p.gather(1, target.unsqueeze(1))
    torch.testing.assert_close(found, (1 - own / (2.5 - own)) * (p - F.one_hot(target, 5)))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"alpha": -1.0}, "alpha must be >= 0, got -1.0"),
        ({"beta": -0.5}, "beta must be >= 0, got -0.5"),
        ({"alpha": math.nan}, "alpha must be >= 0, got nan"),
        ({"alpha": math.inf}, "alpha must be >= 0, got inf"),
        ({"alpha": "x"}, "alpha must be a number >= 0, got 'x'"),
        ({"reduction": "average"}, "reduction must be one of none, mean, sum, got 'average'"),
        ({"label_smoothing": 1.5}, r"label_smoothing must be in \[0, 1\], got 1.5"),
    ],
)
def test_refuses_bad_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        CompetingRatioLoss(**settings)
    with pytest.raises(ValueError, match=message):
        competing_ratio_loss(*rows(), **settings)


def test_refuses_targets_that_do_not_fit():
    logits, target = rows()
    with pytest.raises(ValueError, match="batch_size"):
        competing_ratio_loss(logits, target[:3])
    with pytest.raises(ValueError, match=r"logits \(6, 5\) and target \(3,\) do not fit"):
        competing_ratio_loss(logits, target[:3], label_smoothing=0.1)
    with pytest.raises(ValueError, match=r"holds probabilities and must be float, got torch\.int64"):
        competing_ratio_loss(logits, torch.ones(6, 5, dtype=torch.long))
    with pytest.raises(ValueError, match="ignore_index = 2 has no meaning"):
        competing_ratio_loss(logits, torch.ones(6, 5, dtype=DOUBLE), ignore_index=2)


@pytest.mark.parametrize(
    ("alpha", "beta", "message"),
    [(1.5, 3.0, "not convex"), (0.0, 1.0, "cannot be recovered"), (1.0, 1.25, "cannot be recovered")],
)
def test_warns_where_the_result_surprises(alpha, beta, message):
    with pytest.warns(UserWarning, match=message):
        CompetingRatioLoss(alpha, beta)


@pytest.mark.parametrize(("alpha", "beta"), [(1.5, 1.0), (1.0, 1.0), (2.0, 0.25), (0.0, 0.0)])
def test_is_silent_elsewhere(alpha, beta, recwarn):
    CompetingRatioLoss(alpha, beta)
    assert [str(warning.message) for warning in recwarn] == []
