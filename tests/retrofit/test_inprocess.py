"""`with retrofit()` and `retrofit_criterion` in this process; every exactness and refusal that needs no process of its
own."""

import contextlib
import sys

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from finegrained_crl import CompetingRatioLoss
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.retrofit import log_probability_loss, retrofit, retrofit_criterion

Z = torch.randn(12, 5, generator=torch.Generator().manual_seed(0))
Y = torch.arange(12) % 5
W = torch.tensor([1.0, 0.5, 2.0, 0.1, 1.5])


def logits():
    return Z.clone().requires_grad_()


def both(call, twin):
    """Value and gradient under retrofit and by hand."""
    ours, theirs = logits(), logits()
    with retrofit() as receipt:
        value = call(ours)
    by_hand = twin(theirs)
    value.sum().backward()
    by_hand.sum().backward()
    return receipt, torch.equal(value, by_hand) and torch.equal(ours.grad, theirs.grad)


OPTIONS = [
    {},
    {"weight": W},
    {"ignore_index": 2},
    {"weight": W, "ignore_index": 0, "label_smoothing": 0.2},
    {"reduction": "none", "weight": W},
    {"reduction": "sum"},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_cross_entropy_is_crl_bit_for_bit(options):
    receipt, same = both(lambda z: F.cross_entropy(z, Y, **options), lambda z: CompetingRatioLoss(**options)(z, Y))
    assert same
    (site,) = receipt.sites
    assert site["error"] < 1e-5
    assert site["gain"] == pytest.approx(site["expected_gain"], rel=1e-5)


@pytest.mark.parametrize("options", [o for o in OPTIONS if "label_smoothing" not in o], ids=str)
def test_nll_of_log_softmax_is_crl_bit_for_bit(options):
    receipt, same = both(
        lambda z: F.nll_loss(F.log_softmax(z, 1), Y, **options), lambda z: CompetingRatioLoss(**options)(z, Y)
    )
    assert same
    assert receipt.replaced == 1


@pytest.mark.parametrize(
    "old", [{"size_average": False}, {"reduce": False}, {"size_average": True, "reduce": True}], ids=str
)
def test_the_old_reductions_are_understood(old):
    reduction = nn._reduction.legacy_get_string(old.get("size_average"), old.get("reduce"), emit_warning=False)
    _, same = both(lambda z: F.cross_entropy(z, Y, **old), lambda z: CompetingRatioLoss(reduction=reduction)(z, Y))
    assert same


PROVEN = {
    "method": lambda z: z.log_softmax(-1),
    "log of softmax": lambda z: torch.log(F.softmax(z, dim=1)),
    "module": lambda z: nn.LogSoftmax(dim=1)(z),
    "reshaped": lambda z: F.log_softmax(z.view(3, 4, 5), -1).view(-1, 5),
    "double": lambda z: F.log_softmax(z, 1).double(),
}
DOUBTFUL = {
    "no softmax": lambda z: z * 1.0,
    "a little added": lambda z: torch.log(F.softmax(z, 1) + 1e-8),
    "other axis": lambda z: F.log_softmax(z, 0),
    "scaled": lambda z: 2 * F.log_softmax(z, 1),
}


@pytest.mark.parametrize("name", PROVEN)
def test_a_log_softmax_is_recognised(name):
    with retrofit() as receipt:
        F.nll_loss(PROVEN[name](logits()), Y)
    assert receipt.replaced == 1, receipt.explanation


@pytest.mark.parametrize("name", DOUBTFUL)
def test_what_is_no_log_softmax_is_refused_and_computed_as_ever(name):
    with retrofit() as receipt:
        value = F.nll_loss(DOUBTFUL[name](logits()), Y)
    assert torch.equal(value, F.nll_loss(DOUBTFUL[name](logits()), Y))
    (site,) = receipt.sites
    assert site["action"] == "refuse"
    assert "log_softmax" in site["reason"]
    assert "test_inprocess.py" in receipt.explanation


def hand_smoothed(scores, target):
    log_probs = F.log_softmax(scores, dim=1)
    return 0.9 * F.nll_loss(log_probs, target) - 0.1 * log_probs.mean()


def distil(scores, teacher_scores):
    return F.kl_div(F.log_softmax(scores, 1), F.softmax(teacher_scores, 1))


def rank(scores):
    return (F.log_softmax(scores, 1)[:, 0] - F.log_softmax(scores, 1)[:, 1]).relu().sum()


def test_a_hand_written_smoothing_is_refused_not_mixed():
    with retrofit() as receipt:
        value = hand_smoothed(logits(), Y)
    assert torch.equal(value, hand_smoothed(logits(), Y))
    assert "replacing nll_loss alone would mix two losses" in receipt.sites[0]["reason"]


def test_log_softmax_as_a_score_is_not_touched():
    with retrofit() as receipt:
        values = distil(logits(), Z.flip(0)), rank(logits())
    assert values == (distil(logits(), Z.flip(0)), rank(logits()))
    assert receipt.sites == []
    assert "no cross-entropy" in receipt.explanation


def test_a_teachers_targets_and_the_batchs_own_are_left():
    teacher_probs = F.softmax(Z.flip(0), 1)
    with retrofit() as receipt:
        kd = F.cross_entropy(logits(), teacher_probs)
        info_nce = F.cross_entropy(logits() @ logits().T, torch.arange(12))
    assert torch.equal(kd, F.cross_entropy(logits(), teacher_probs))
    assert torch.equal(info_nce, F.cross_entropy(logits() @ logits().T, torch.arange(12)))
    assert [(s["role"], s["action"]) for s in receipt.sites] == [("distillation", "leave"), ("contrastive", "leave")]


@pytest.mark.parametrize(
    ("targets", "role"),
    [
        (F.softmax(Z.flip(0), 1), "distillation"),
        (0.1 / 5 + 0.9 * F.one_hot(Y, 5), "class"),
        (0.7 * F.one_hot(Y, 5) + 0.3 * F.one_hot(Y.flip(0), 5), "class"),
        (F.one_hot(Y, 5).float(), "class"),
        ((F.one_hot(Y, 5) + F.one_hot(Y.flip(0), 5) + F.one_hot(Y.roll(1), 5)) / 3.0, "distillation"),
    ],
)
def test_a_teacher_that_is_trained_on_labels_has_a_class_loss(targets, role):
    with retrofit() as receipt:
        teacher_loss = F.cross_entropy(logits(), targets)
    teacher_loss.backward()
    assert [site["role"] for site in receipt.sites] == [role]


@pytest.mark.parametrize(
    ("labels", "role"),
    [
        ([0, 1, 2], "contrastive"),
        ([2, 3], "contrastive"),  # of the second of two processes
        ([0, 0, 0], "contrastive"),
        ([1, 2, 3], "class"),
        ([2, 2, 2], "class"),
        ([3, 3, 3], "class"),
        ([0, 2, 1], "class"),
        ([2], "class"),
    ],
)
def test_a_loss_that_is_only_called_contrast_is_a_class_loss(labels, role):
    with retrofit() as receipt:
        contrast = F.cross_entropy(logits()[: len(labels)], torch.tensor(labels))
    contrast.backward()
    assert [site["role"] for site in receipt.sites] == [role]


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_compiled_code_is_refused_by_name(backend):
    torch._dynamo.reset()

    def compute(z):
        return F.cross_entropy(z, Y) * 2

    plain = compute(logits())
    with retrofit() as receipt:
        value = torch.compile(compute, backend=backend)(logits())
    assert torch.equal(value, plain)
    assert receipt.replaced == 0
    assert any("torch.compile" in site["reason"] for site in receipt.sites), receipt.sites


def test_torchscript_compiles_the_original():
    with retrofit():
        scripted = torch.jit.script(nn.CrossEntropyLoss())
    assert torch.equal(scripted(Z, Y), F.cross_entropy(Z, Y))


def test_our_own_losses_are_not_replaced_twice():
    by_hand = CompetingRatioLoss(2.0, 0.5)(Z, Y)
    with retrofit() as receipt:
        assert torch.equal(CompetingRatioLoss(2.0, 0.5)(Z, Y), by_hand)
    assert receipt.sites == []


def test_another_loss_by_name():
    from finegrained_crl.losses.focal import FocalLoss

    with retrofit(loss="focal") as receipt:
        value = F.cross_entropy(logits(), Y)
    assert torch.equal(value, FocalLoss()(logits(), Y))
    assert receipt.sites[0]["gain"] != pytest.approx(1)
    with pytest.raises(FinegrainedError, match="needs features"), retrofit(loss="center"):
        pass


def test_beta_0_is_cross_entropy_bit_for_bit():
    with retrofit(beta=0) as receipt:
        value = F.cross_entropy(logits(), Y, weight=W, label_smoothing=0.1)
    assert torch.equal(value, F.cross_entropy(Z, Y, weight=W, label_smoothing=0.1))
    assert receipt.sites[0]["gain"] == pytest.approx(1)


def test_pytorch_is_given_back():
    before = F.cross_entropy, F.cross_entropy.__code__, F.nll_loss.__code__, nn.CrossEntropyLoss.__init__.__code__
    with retrofit():
        assert F.cross_entropy is before[0]
        assert F.cross_entropy.__code__ is not before[1]
        with pytest.raises(FinegrainedError, match="active already"), retrofit():
            pass
    assert (
        F.cross_entropy,
        F.cross_entropy.__code__,
        F.nll_loss.__code__,
        nn.CrossEntropyLoss.__init__.__code__,
    ) == before
    assert "_fgcrl_cross_entropy" not in vars(F)


def test_an_exception_ends_the_block_cleanly():
    code = F.cross_entropy.__code__
    with pytest.raises(RuntimeError, match="mine"), retrofit():
        raise RuntimeError("mine")
    assert F.cross_entropy.__code__ is code


def test_only_takes_a_list_of_sites():
    with pytest.raises(FinegrainedError, match="are lists"):
        retrofit(only="train.py:3")
    line = sys._getframe().f_lineno
    with retrofit(only=[f"test_inprocess.py:{line + 2}"]) as receipt:
        value = F.cross_entropy(logits(), Y)
        other = F.cross_entropy(logits(), Y)
    assert torch.equal(value, CompetingRatioLoss()(logits(), Y))
    assert torch.equal(other, F.cross_entropy(logits(), Y))
    assert (receipt.replaced, receipt.as_dict()["unmatched"]) == (1, [])


SMOOTHED = {"weight": W, "ignore_index": 1, "label_smoothing": 0.1, "reduction": "sum"}
TWINS = [
    (nn.CrossEntropyLoss(**SMOOTHED), CompetingRatioLoss(2, 0.5, **SMOOTHED)),
    (nn.NLLLoss(W, ignore_index=1), CompetingRatioLoss(2, 0.5, weight=W, ignore_index=1)),
]


@pytest.mark.parametrize(("criterion", "by_hand"), TWINS, ids=["ce", "nll"])
def test_the_twin_of_a_criterion_has_its_options(criterion, by_hand):
    twin = retrofit_criterion(criterion, 2, 0.5)
    scores = Z.log_softmax(1) if isinstance(criterion, nn.NLLLoss) else Z
    assert torch.equal(twin(scores, Y), by_hand(Z, Y))
    assert isinstance(twin, type(criterion))
    assert twin.weight is criterion.weight


def test_timms_losses_have_twins():
    timm = pytest.importorskip("timm.loss")
    twin = retrofit_criterion(timm.LabelSmoothingCrossEntropy(0.2))
    assert torch.equal(twin(Z, Y), CompetingRatioLoss(label_smoothing=0.2)(Z, Y))
    assert torch.equal(
        retrofit_criterion(timm.SoftTargetCrossEntropy())(Z, F.softmax(Z, 1)), CompetingRatioLoss()(Z, F.softmax(Z, 1))
    )


def test_what_has_no_twin_is_refused():
    class Mine(nn.CrossEntropyLoss):
        def forward(self, input, target):
            return super().forward(input, target) + F.cross_entropy(input, target)

    class Around(nn.CrossEntropyLoss):
        def forward(self, input, target):
            return nn.CrossEntropyLoss.forward(self, input, target)

    for criterion in (Mine(), Around(), nn.MSELoss()):
        with pytest.raises(TypeError, match="has no exact CRL twin"):
            retrofit_criterion(criterion)


def test_the_twin_of_a_subclass_runs_its_forward_on_its_state():
    class Decaying(nn.CrossEntropyLoss):
        calls = 0

        def forward(self, input, target):
            self.calls += 1
            return super().forward(input, target) / self.calls

    criterion = Decaying(weight=W)
    values = [retrofit_criterion(criterion, alpha=2.0)(Z, Y) for _ in range(2)]
    expected = CompetingRatioLoss(2.0, weight=W)(Z, Y)
    assert torch.equal(values[0], expected)
    assert torch.equal(values[1], expected / 2)
    assert criterion.calls == 2
    assert torch.equal(criterion(Z, Y), F.cross_entropy(Z, Y, W) / 3)


def test_what_is_measured_is_hidden_from_what_watches_the_program():
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda tensor: saved.append(tensor.shape) or tensor, lambda tensor: tensor
    ):
        competing = CompetingRatioLoss()(logits(), Y)
        by_hand, saved[:] = len(saved), []
        with retrofit() as receipt:
            F.cross_entropy(logits(), Y)
    assert competing.requires_grad
    assert len(saved) == by_hand > 0
    assert receipt.sites[0]["error"] < 1e-6


def test_log_probability_loss_at_beta_0_is_nll_loss():
    assert torch.equal(
        log_probability_loss(Z.log_softmax(1), Y, beta=0.0, weight=W), F.nll_loss(Z.log_softmax(1), Y, W)
    )
    small = log_probability_loss(Z.double().log_softmax(1), Y, alpha=0.0)
    assert small.item() == pytest.approx(CompetingRatioLoss(0.0, 1.0)(Z.double(), Y).item())
    sure = torch.tensor([[40.0, 0.0]])
    by_hand = CompetingRatioLoss(0.0, 1.0)(sure, Y[:1])
    assert log_probability_loss(sure.log_softmax(1), Y[:1], alpha=0.0).item() == pytest.approx(by_hand.item()) != 0


def predict_loss(scores):
    return F.cross_entropy(scores, Y)


def validate(scores):
    return F.cross_entropy(scores, Y)


def test_a_name_that_sounds_like_evaluation_yields_to_a_backward_pass():
    with retrofit() as receipt:
        loss = predict_loss(logits())
        loss.backward()
        validate(logits())
    assert [(s["function"], s["action"]) for s in receipt.sites] == [("predict_loss", "replace"), ("validate", "leave")]


def test_a_place_that_can_not_be_judged_is_computed_as_ever(monkeypatch):
    monkeypatch.setattr("finegrained_crl.retrofit.running.chains.look_around", lambda *a: 1 / 0)
    with retrofit() as receipt:
        value = F.cross_entropy(logits(), Y)
    assert torch.equal(value, F.cross_entropy(Z, Y))
    assert "ZeroDivisionError" in receipt.sites[0]["reason"]


def test_a_model_in_eval_mode_that_computes_its_loss_is_left():
    class Model(nn.Module):
        def forward(self, scores):
            return F.cross_entropy(scores, Y)

    model = Model()
    with retrofit() as receipt:
        values = []
        for mode in (True, False, True):
            model.train(mode)
            values.append(model(logits()))
    assert torch.equal(values[1], F.cross_entropy(Z, Y))
    assert torch.equal(values[0], values[2])
    assert [(s["action"], s["count"]) for s in receipt.sites] == [("replace", 2), ("leave", 1)]


def test_a_loss_that_is_not_finite_leaves_a_receipt_that_json_can_hold():
    import json

    broken = torch.full((12, 5), float("nan"), requires_grad=True)
    with retrofit() as receipt:
        F.cross_entropy(broken, Y)
    json.dumps(receipt.as_dict(), allow_nan=False)
    assert receipt.sites[0]["first_ce"] is None
    assert receipt.replaced == 1


def test_the_line_that_builds_a_criterion_names_its_calls():
    line = sys._getframe().f_lineno
    with retrofit(only=[f"test_inprocess.py:{line + 2}"]) as receipt:
        first = nn.CrossEntropyLoss()
        second = nn.CrossEntropyLoss()
        values = first(logits(), Y), second(logits(), Y)
    assert torch.equal(values[0], CompetingRatioLoss()(Z, Y))
    assert torch.equal(values[1], F.cross_entropy(Z, Y))
    assert [row["count"] for row in receipt.receipt.built] == [1, 1]


def test_another_object_goes_on_unchanged_with_one_warning_where_that_is_asked():
    criterion = nn.MSELoss()
    with pytest.warns(UserWarning, match="MSELoss is no cross-entropy") as caught:
        same = [retrofit_criterion(criterion, strict=False) for _ in range(2)]
    assert same == [criterion, criterion]
    assert len(caught) == 1
    assert isinstance(retrofit_criterion(nn.CrossEntropyLoss(), strict=False), CompetingRatioLoss)


def test_an_ingredient_is_the_programs_own_from_its_first_backward_pass_on(capsys):
    values = []
    with retrofit() as receipt:
        for _ in range(2):
            value = F.cross_entropy(logits(), Y)
            value.exp().backward()
            values.append(value.detach())
    assert torch.equal(values[0], CompetingRatioLoss()(Z, Y))
    assert torch.equal(values[1], F.cross_entropy(Z, Y))
    assert [(site["action"], site["count"]) for site in receipt.sites] == [("replace", 1), ("refuse", 1)]
    assert "it stays the program's own from here on" in capsys.readouterr().err


def test_a_call_that_two_backward_passes_go_through_has_flowed_once():
    with retrofit() as receipt:
        value = F.cross_entropy(logits(), Y)
        value.backward(retain_graph=True)
        value.backward()
    assert [(site["count"], site["flowed"]) for site in receipt.sites] == [(1, 1)]


@pytest.mark.parametrize("beta", [0.5, 1.0])
def test_the_proof_is_of_the_loss_that_was_asked_for(beta):
    with retrofit(beta=beta) as receipt:
        F.cross_entropy(logits() @ torch.eye(5), Y).backward()
    (site,) = receipt.sites
    assert (site["proven"], site["misfit"] < 1e-6) == (1, True)


def test_the_worst_proof_of_a_site_stays():
    with retrofit() as receipt:
        for penalty in (0.01, 0.0):
            scores = logits() @ torch.eye(5)
            (F.cross_entropy(scores, Y) + penalty * scores.square().sum()).backward()
    (site,) = receipt.sites
    assert (site["proven"], site["misfit"] > 0.01) == (2, True)


def test_what_torch_func_differentiates_has_a_note():
    with retrofit() as receipt:
        torch.func.grad(lambda z: F.cross_entropy(z, Y))(Z)
    assert "is not seen" in receipt.sites[0]["note"]


def test_training_that_is_undone_at_the_end_of_a_block_is_said():
    net = torch.nn.Linear(6, 5)
    optimiser = torch.optim.SGD(net.parameters(), lr=0.1)
    x = torch.randn(len(Y), 6)
    with retrofit() as receipt:
        for _ in range(2):
            F.cross_entropy(net(x), Y).backward()
            optimiser.step()
        before = [parameter.detach().clone() for parameter in net.parameters()]
        for _ in range(2):
            F.cross_entropy(net(x), Y).backward()
            optimiser.step()
        torch.nn.utils.vector_to_parameters(torch.nn.utils.parameters_to_vector(before), net.parameters())
    assert [site["updated"] for site in receipt.sites] == [2, 0]
    assert "an evaluation whose training is undone" in "".join(receipt.problems.values())


@pytest.mark.parametrize("error", [KeyboardInterrupt, None])
def test_a_block_that_ends_by_an_exception_was_stopped(error):
    z = logits()
    with contextlib.suppress(KeyboardInterrupt), retrofit() as receipt:
        F.cross_entropy(z, Y).backward()
        F.cross_entropy(z, Y)
        if error is not None:
            raise error
    assert bool(receipt.problems) is (error is None)
