"""The losses that need features or own their classifier, against plain loops and the libraries they come from."""

import math

import pytest
import torch
from torch.nn import functional as F

from finegrained_crl.losses import (
    AngularSoftmaxLoss,
    CenterLoss,
    EnsembleSoftMarginLoss,
    LargeMarginSoftmaxLoss,
    PEDCCLoss,
    PODLoss,
    SoftMarginSoftmaxLoss,
    TripletLoss,
    center_loss,
    hsic,
    pedcc_centroids,
)

GENERATOR = torch.Generator().manual_seed(0)
LOGITS, FEATURES, TARGET = (
    torch.randn(12, 4, generator=GENERATOR),
    torch.randn(12, 8, generator=GENERATOR),
    torch.arange(12) % 4,
)


def test_center_loss_by_hand():
    centers = torch.randn(4, 8)
    expected = sum(((f - centers[c]) ** 2).sum() / 2 for f, c in zip(FEATURES, TARGET, strict=True)) / 12
    torch.testing.assert_close(center_loss(FEATURES, TARGET, centers), expected)
    assert center_loss(centers[TARGET], TARGET, centers) == 0
    leaf = FEATURES.clone().requires_grad_()
    center_loss(leaf, TARGET, centers, reduction="sum").backward()
    torch.testing.assert_close(leaf.grad, FEATURES - centers[TARGET])


def test_center_loss_moves_its_centers_while_training_only():
    criterion = CenterLoss(num_classes=5, feature_dim=8, alpha=0.5)
    value = criterion(LOGITS, TARGET, FEATURES)
    torch.testing.assert_close(
        value, F.cross_entropy(LOGITS, TARGET) + 0.003 * center_loss(FEATURES, TARGET, torch.zeros(5, 8))
    )
    for c in range(5):
        own = FEATURES[c == TARGET]
        torch.testing.assert_close(criterion.centers[c], 0.5 * own.sum(0) / (1 + len(own)))
    before = criterion.eval().centers.clone()
    criterion(LOGITS, TARGET, FEATURES)
    assert torch.equal(criterion.centers, before)
    assert "centers" in criterion.state_dict()


def test_center_loss_ignores_ignored_rows():
    gaps = TARGET.clone()
    gaps[0] = -100
    whole, part = CenterLoss(4, 8), CenterLoss(4, 8)
    torch.testing.assert_close(whole(LOGITS, gaps, FEATURES), part(LOGITS[1:], TARGET[1:], FEATURES[1:]))
    torch.testing.assert_close(whole.centers, part.centers)


@pytest.mark.parametrize(("classes", "dim"), [(2, 2), (10, 9), (20, 19), (10, 64), (100, 128)])
def test_centroids_form_a_simplex(classes, dim):
    cosines = pedcc_centroids(classes, dim).double()
    cosines = cosines @ cosines.T
    expected = torch.eye(classes, dtype=torch.float64) * (1 + 1 / (classes - 1)) - 1 / (classes - 1)
    torch.testing.assert_close(cosines, expected, atol=1e-6, rtol=0)


def test_centroids_spread_where_no_simplex_fits():
    cosines = pedcc_centroids(12, 3) @ pedcc_centroids(12, 3).T
    nearest = (cosines - 2 * torch.eye(12)).max(1).values
    # Twelve points on a sphere are best placed as an icosahedron, whose neighbours have cosine 1/sqrt(5).
    assert nearest.max() < 0.46
    torch.testing.assert_close(cosines.diagonal(), torch.ones(12))


def test_centroids_depend_on_the_seed_alone():
    state = torch.random.get_rng_state()
    assert torch.equal(pedcc_centroids(5, 8, seed=3), pedcc_centroids(5, 8, seed=3))
    assert not torch.equal(pedcc_centroids(5, 8, seed=3), pedcc_centroids(5, 8, seed=4))
    assert torch.equal(torch.random.get_rng_state(), state)


def test_pedcc_by_hand():
    criterion = PEDCCLoss(4, 8, scale=7.5, margin=0.35, power=2.0)
    unit = F.normalize(FEATURES, dim=1)
    cosines = unit @ criterion.centroids.T
    classification = F.cross_entropy(7.5 * (cosines - 0.35 * F.one_hot(TARGET, 4)), TARGET)
    torch.testing.assert_close(
        criterion(FEATURES, TARGET), classification + ((unit - criterion.centroids[TARGET]) ** 2).mean() ** 2
    )
    torch.testing.assert_close(criterion.scores(FEATURES), 7.5 * cosines)


def test_pod_by_hand():
    criterion = PODLoss(4, 8).double()
    f, u = FEATURES.double(), criterion.centroids[TARGET]
    nac = sum((1 - f[i] @ u[i] / math.sqrt(f[i] @ f[i] + 0.05**2)) ** 2 for i in range(12)) / 12
    r = F.normalize(f, dim=1) - u
    cov = torch.stack([torch.outer(row, row) for row in r]).sum(0) / 11
    sc = sum(cov[a, b] ** 2 for a in range(8) for b in range(8) if a != b) / 7
    torch.testing.assert_close(criterion(f, TARGET), nac + sc, atol=1e-7, rtol=1e-6)
    torch.testing.assert_close(criterion.scores(f), f @ criterion.centroids.T)


def test_pod_delta_follows_the_epoch_and_is_saved():
    criterion = PODLoss(4, 8)
    norms = []
    for part in (slice(0, 8), slice(8, 12)):
        criterion(FEATURES[part], TARGET[part])
        norms.append(criterion.scores(FEATURES[part]).norm(dim=1))
    criterion.end_epoch()
    assert criterion.delta == pytest.approx(0.01 * torch.cat(norms).mean().item(), rel=1e-5)
    twin = PODLoss(4, 8)
    twin.load_state_dict(criterion.state_dict())
    assert twin.delta == criterion.delta
    criterion(FEATURES, TARGET)
    criterion.end_epoch()
    assert criterion.delta == pytest.approx(0.02 * torch.cat(norms).mean().item(), rel=1e-5)


def test_pod_of_one_sample_and_of_a_zero_feature_is_finite():
    leaf = torch.zeros(1, 8, requires_grad=True)
    value = PODLoss(4, 8)(leaf, torch.tensor([0]))
    value.backward()
    assert value.isfinite()
    assert leaf.grad.isfinite().all()


def test_hsic_equals_the_trace_form_in_plain_loops():
    a, b = torch.randn(5, 3, dtype=torch.float64), torch.randn(5, 3, dtype=torch.float64)
    centring = torch.eye(5, dtype=torch.float64) - 1 / 5
    expected = torch.trace(a @ a.T @ centring @ b @ b.T @ centring) / 16
    torch.testing.assert_close(hsic(a, b), expected)
    torch.testing.assert_close(hsic(a, torch.ones(5, 3, dtype=torch.float64)), torch.zeros((), dtype=torch.float64))


def test_ensemble_sums_its_heads_and_their_likeness():
    criterion = EnsembleSoftMarginLoss(4, 8, num_heads=3, margin=0.7, lam=0.2)
    weights = [head.weight for head in criterion.heads]
    expected = sum(SoftMarginSoftmaxLoss(0.7)(FEATURES @ w.T, TARGET) for w in weights)
    expected = expected + 0.2 * sum(hsic(weights[u], weights[v]) for u in range(3) for v in range(u + 1, 3))
    torch.testing.assert_close(criterion(FEATURES, TARGET), expected)
    torch.testing.assert_close(criterion.scores(FEATURES), sum(FEATURES @ w.T for w in weights) / 3)
    assert EnsembleSoftMarginLoss(4, 8, num_heads=1)(FEATURES, TARGET).isfinite()


def psi(theta, margin):
    k = math.floor(theta * margin / math.pi)
    return (-1) ** k * math.cos(margin * theta) - 2 * k


@pytest.mark.parametrize("cls", [LargeMarginSoftmaxLoss, AngularSoftmaxLoss])
@pytest.mark.parametrize("margin", [1, 2, 4])
def test_angular_margins_by_hand(cls, margin):
    criterion = cls(4, 8, margin=margin).double()
    w, f = criterion.classifier_weight.detach(), FEATURES.double()
    logits = f @ w.T
    torch.testing.assert_close(criterion.scores(f), logits)
    for i, c in enumerate(TARGET.tolist()):
        length = w[c].norm() * f[i].norm()
        logits[i, c] = length * psi(math.acos(logits[i, c] / length), margin)
    torch.testing.assert_close(criterion(f, TARGET), F.cross_entropy(logits, TARGET), atol=1e-6, rtol=1e-6)


MINED = {  # by the distance to the negative less that to the positive
    "all": lambda gap: gap <= 0.2,
    "easy": lambda gap: gap > 0.2,
    "semihard": lambda gap: 0 < gap <= 0.2,
    "hard": lambda gap: gap <= 0,
}


@pytest.mark.parametrize("mining", MINED)
def test_triplet_by_hand(mining):
    criterion = TripletLoss(margin=0.2, lam=0.5, mining=mining)
    unit = F.normalize(FEATURES, dim=1)
    terms = []
    for a in range(12):
        for p in range(12):
            for n in range(12):
                if a != p and TARGET[a] == TARGET[p] and TARGET[a] != TARGET[n]:
                    terms.append(((unit[a] - unit[p]) ** 2).sum() - ((unit[a] - unit[n]) ** 2).sum() + 0.2)
    active = [t for t in terms if t > 0 and MINED[mining](0.2 - t)]
    assert bool(active) == (mining != "easy")
    expected = F.cross_entropy(LOGITS, TARGET) + 0.5 * sum(active) / max(len(active), 1)
    torch.testing.assert_close(criterion(LOGITS, TARGET, FEATURES), expected)


def test_triplet_without_a_pair_is_cross_entropy():
    target = torch.arange(4)
    value = TripletLoss()(LOGITS[:4], target, FEATURES[:4])
    torch.testing.assert_close(value, F.cross_entropy(LOGITS[:4], target))
    smoothed = TripletLoss(label_smoothing=0.2)(LOGITS[:4], target, FEATURES[:4])
    torch.testing.assert_close(smoothed, F.cross_entropy(LOGITS[:4], target, label_smoothing=0.2))


@pytest.mark.parametrize(
    "criterion", [PEDCCLoss(4, 8), PODLoss(4, 8), EnsembleSoftMarginLoss(4, 8), LargeMarginSoftmaxLoss(4, 8, margin=2)]
)
def test_training_on_features_separates_classes(criterion):
    """A few steps on the features themselves raise the accuracy of `scores` to 1."""
    features = FEATURES.clone().requires_grad_()
    optimizer = torch.optim.Adam([features, *criterion.parameters()], lr=0.1)
    for _ in range(150):
        optimizer.zero_grad()
        criterion(features, TARGET).backward()
        optimizer.step()
    assert (criterion.scores(features).argmax(1) == TARGET).all()
