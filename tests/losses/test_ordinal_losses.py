"""The losses for ordered classes against plain formulas, dlordinal and coral-pytorch."""

import pytest
import torch
from torch.nn import functional as F

from finegrained_crl.losses import (
    CDWCrossEntropyLoss,
    CompetingRatioDLDLLoss,
    CompetingRatioSORDLoss,
    CORALLoss,
    CORNLoss,
    DLDLv2Loss,
    MeanVarianceLoss,
    OrdinalSoftLabelLoss,
    SORDLoss,
    SquaredEMDLoss,
    competing_ratio_loss,
    dldl_targets,
    sord_targets,
)

DOUBLE = torch.float64
LOGITS, TARGET = torch.randn(20, 8, generator=torch.Generator().manual_seed(0), dtype=DOUBLE), torch.arange(20) % 8
P, CLASSES = LOGITS.softmax(1), torch.arange(8, dtype=DOUBLE)


def gradient(loss, **settings):
    leaf = LOGITS.clone().requires_grad_()
    return torch.autograd.grad(loss(reduction="sum", **settings)(leaf, TARGET), leaf)[0]


@pytest.mark.parametrize("scale", [0.0, 1.0, 2.5])
def test_sord_equals_dlordinal(scale):
    library = pytest.importorskip("dlordinal.losses")
    oracle = library.SORDLoss(alpha=scale, num_classes=8, train_targets=TARGET)
    torch.testing.assert_close(SORDLoss(scale)(LOGITS, TARGET), oracle(LOGITS, TARGET), atol=1e-7, rtol=1e-6)


def test_squared_distances_are_squared():
    expected = torch.softmax(-0.5 * (torch.arange(8) - 3.0) ** 2, 0)
    torch.testing.assert_close(sord_targets(8, 0.5, "squared")[3], expected)


def test_sord_of_squared_distances():
    q = torch.softmax(-0.5 * (CLASSES - TARGET.unsqueeze(1)) ** 2, 1)
    loss = SORDLoss(0.5, "squared", reduction="none")
    torch.testing.assert_close(loss(LOGITS, TARGET), -(q * P.log()).sum(1), atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("beta", [0.0, 1.0])
def test_crl_on_soft_targets_is_crl_on_probabilities(beta):
    for loss, table in ((CompetingRatioSORDLoss, sord_targets(8)), (CompetingRatioDLDLLoss, dldl_targets(8))):
        torch.testing.assert_close(
            loss(1.5, beta)(LOGITS, TARGET),
            competing_ratio_loss(LOGITS, table.double()[TARGET], 1.5, beta),
            atol=1e-9,
            rtol=1e-9,
        )
    torch.testing.assert_close(CompetingRatioSORDLoss(beta=0.0)(LOGITS, TARGET), SORDLoss()(LOGITS, TARGET))


@pytest.mark.parametrize(
    ("loss", "table"),
    [
        (CompetingRatioSORDLoss(2.0, 0.5, scale=0.25, distance="squared"), sord_targets(8, 0.25, "squared")),
        (CompetingRatioDLDLLoss(2.0, 0.5, sigma=2.0), dldl_targets(8, 2.0)),
    ],
)
def test_crl_takes_the_soft_targets_that_are_asked_for(loss, table):
    expected = competing_ratio_loss(LOGITS, table.double()[TARGET], 2.0, 0.5)
    torch.testing.assert_close(loss(LOGITS, TARGET), expected, atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize(
    "criterion", [SORDLoss(), CompetingRatioSORDLoss(), CompetingRatioDLDLLoss(), OrdinalSoftLabelLoss(8)]
)
def test_mixtures_of_labels_are_mixtures_of_losses(criterion):
    other = TARGET.flip(0)
    mixture = 0.3 * F.one_hot(TARGET, 8).double() + 0.7 * F.one_hot(other, 8).double()
    torch.testing.assert_close(
        criterion(LOGITS, mixture), 0.3 * criterion(LOGITS, TARGET) + 0.7 * criterion(LOGITS, other)
    )


@pytest.mark.parametrize("sigma", [0.75, 2.0])
def test_dldl_equals_kl_and_the_expected_error(sigma):
    q = torch.softmax(-((CLASSES - TARGET.unsqueeze(1)) ** 2) / (2 * sigma**2), 1)
    kl = F.kl_div(P.log(), q, reduction="none").sum(1)
    expected = kl + 0.6 * (P @ CLASSES - TARGET).abs()
    loss = DLDLv2Loss(sigma, lam=0.6, reduction="none")
    torch.testing.assert_close(loss(LOGITS, TARGET), expected, atol=1e-6, rtol=1e-6)
    mean = P @ CLASSES
    slope = (P - q) + 0.6 * torch.sign(mean - TARGET).unsqueeze(1) * P * (CLASSES - mean.unsqueeze(1))
    torch.testing.assert_close(gradient(DLDLv2Loss, sigma=sigma, lam=0.6), slope, atol=1e-6, rtol=1e-6)


def test_mean_variance_gradient():
    mean = (P @ CLASSES).unsqueeze(1)
    variance = (P * (CLASSES - mean) ** 2).sum(1, keepdim=True)
    slope = P * (0.2 * (mean - TARGET.unsqueeze(1)) * (CLASSES - mean) + 0.05 * ((CLASSES - mean) ** 2 - variance))
    torch.testing.assert_close(gradient(MeanVarianceLoss), P - F.one_hot(TARGET, 8) + slope)


def test_squared_emd_equals_dlordinal_and_its_gradient():
    library = pytest.importorskip("dlordinal.losses")
    torch.testing.assert_close(SquaredEMDLoss()(LOGITS, TARGET), library.EMDLoss(8)(LOGITS, TARGET))
    difference = P.cumsum(1) - (TARGET.unsqueeze(1) <= CLASSES).double()
    d = 2 * difference.flip(1).cumsum(1).flip(1)
    torch.testing.assert_close(gradient(SquaredEMDLoss), P * (d - (P * d).sum(1, keepdim=True)))


@pytest.mark.parametrize("alpha", [0.5, 1.0, 5.0])
def test_distance_weighted_cross_entropy_equals_dlordinal_where_that_is_finite(alpha):
    library = pytest.importorskip("dlordinal.losses")
    oracle = library.CDWCELoss(8, alpha=alpha)
    torch.testing.assert_close(CDWCrossEntropyLoss(alpha)(LOGITS, TARGET), oracle(LOGITS, TARGET), atol=1e-6, rtol=1e-6)
    high = torch.tensor([[100.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]])
    assert not oracle(high, torch.tensor([0])).isfinite()
    assert CDWCrossEntropyLoss(alpha)(high, torch.tensor([0])).item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("family", ["beta", "binomial", "exponential", "poisson", "triangular"])
@pytest.mark.parametrize("eta", [0.3, 1.0])
def test_soft_labels_equal_dlordinals_loss(family, eta):
    library = pytest.importorskip("dlordinal.losses")
    oracle = getattr(library, f"{family.capitalize()}Loss")(torch.nn.CrossEntropyLoss(), 8, eta=eta)
    ours = OrdinalSoftLabelLoss(8, family=family, eta=eta)
    torch.testing.assert_close(ours(LOGITS.float(), TARGET), oracle(LOGITS.float(), TARGET))


def test_coral_equals_its_library_and_gives_a_distribution():
    library = pytest.importorskip("coral_pytorch")
    from coral_pytorch.dataset import levels_from_labelbatch
    from coral_pytorch.losses import coral_loss

    assert library
    criterion, features = CORALLoss(8, 8), LOGITS.float()
    steps = criterion.layer(features)
    torch.testing.assert_close(criterion(features, TARGET), coral_loss(steps, levels_from_labelbatch(TARGET, 8)))
    above = torch.cat([torch.ones(20, 1), steps.sigmoid(), torch.zeros(20, 1)], 1)
    torch.testing.assert_close(criterion.scores(features).exp(), above[:, :-1] - above[:, 1:], atol=1e-5, rtol=1e-4)
    with torch.no_grad():
        criterion.layer.coral_bias.copy_(criterion.layer.coral_bias.flip(0))
    unordered = criterion.scores(features)
    assert unordered.isfinite().all()
    torch.testing.assert_close(unordered.exp().sum(1), torch.ones(20))


def test_corn_equals_its_library_and_gives_a_distribution():
    pytest.importorskip("coral_pytorch")
    from coral_pytorch.losses import corn_loss

    criterion, features = CORNLoss(8, 8), LOGITS.float()
    steps = criterion.layer(features)
    torch.testing.assert_close(criterion(features, TARGET), corn_loss(steps, TARGET, 8))
    chain = torch.cat([torch.ones(20, 1), steps.sigmoid().cumprod(1), torch.zeros(20, 1)], 1)
    torch.testing.assert_close(criterion.scores(features).exp(), chain[:, :-1] - chain[:, 1:])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SORDLoss(scale=-1.0), r"scale must be >= 0, got -1.0"),
        (lambda: SORDLoss(distance="cubic"), "distance must be one of absolute, squared, got 'cubic'"),
        (lambda: CompetingRatioDLDLLoss(sigma=0.0), r"sigma must be > 0, got 0.0"),
        (lambda: CompetingRatioSORDLoss(alpha=-1.0), r"alpha must be >= 0, got -1.0"),
        (lambda: OrdinalSoftLabelLoss(8, family="normal"), "family must be one of beta, binomial"),
        (lambda: OrdinalSoftLabelLoss(8, eta=2.0), r"eta must be in \[0, 1\], got 2.0"),
        (
            lambda: OrdinalSoftLabelLoss(8)(LOGITS[:, :5], TARGET),
            r"expected logits \(batch, 8\) for 8 ordered classes, got \(20, 5\)",
        ),
        (lambda: CORALLoss(1, 4), "num_classes must be >= 2, got 1"),
    ],
)
def test_refuses_bad_settings(make, message):
    with pytest.raises(ValueError, match=message):
        make()
