"""T12: the closed-form link undoes what minimising CRL's population risk does to the class posterior."""

import numpy as np
import pytest
import torch

from finegrained_crl.losses import competing_ratio_loss, crl_link

KNOWN = [
    ([0.55, 0.45], 1.5, 1.0, [0.5664, 0.4336]),
    ([0.7, 0.3], 1.5, 1.0, [0.75, 0.25]),
    ([0.7, 0.3], 1.0, 1.0, [0.7707, 0.2293]),
    ([0.7, 0.3], 2.0, 0.25, [0.7100, 0.2900]),
    ([0.9, 0.1], 1.5, 1.0, [0.9332, 0.0668]),
    ([0.5, 0.3, 0.2], 1.5, 1.0, [0.5344, 0.2845, 0.1812]),
]


def minimiser(eta, alpha, beta):
    """The softmax that minimises the expected loss under the class posterior eta."""
    posterior = torch.tensor([eta], dtype=torch.float64)
    logits = posterior.log().clone().requires_grad_()
    optimizer = torch.optim.LBFGS(
        [logits], max_iter=300, tolerance_grad=1e-12, tolerance_change=1e-16, line_search_fn="strong_wolfe"
    )

    def closure():
        optimizer.zero_grad()
        risk = competing_ratio_loss(logits, posterior, alpha, beta)
        risk.backward()
        return risk

    optimizer.step(closure)
    return logits.detach().softmax(1)[0]


@pytest.mark.parametrize(("eta", "alpha", "beta", "known"), KNOWN)
def test_t12_round_trip(eta, alpha, beta, known):
    found = minimiser(eta, alpha, beta)
    torch.testing.assert_close(found, torch.tensor(known, dtype=torch.float64), atol=6e-5, rtol=0)
    torch.testing.assert_close(crl_link(found, alpha, beta), torch.tensor(eta, dtype=torch.float64), atol=1e-6, rtol=0)
    np.testing.assert_allclose(crl_link(found.numpy(), alpha, beta), eta, atol=1e-6)


@pytest.mark.parametrize(
    ("classes", "target", "known"), [(10, 0.91, 0.9418), (8, 0.9125, 0.9435), (1000, 0.9001, 0.9350)]
)
def test_label_smoothing_is_sharpened_as_documented(classes, target, known):
    eta = [target] + [(1 - target) / (classes - 1)] * (classes - 1)
    assert minimiser(eta, 1.5, 1.0)[0].item() == pytest.approx(known, abs=6e-5)


def test_keeps_the_order_and_sums_to_one():
    p = np.random.default_rng(0).dirichlet(np.ones(6), size=(50, 3))
    q = crl_link(p, 1.0, 1.0)
    np.testing.assert_allclose(q.sum(-1), 1)
    assert (q.argsort(-1) == p.argsort(-1)).all()
    assert (q.max(-1) <= p.max(-1) + 1e-12).all()


def test_beta_zero_changes_nothing():
    p = np.array([[1.0, 0.0]])
    assert (crl_link(p, 0.0, 0.0) == p).all()


@pytest.mark.parametrize(
    ("alpha", "beta", "message"),
    [(0.0, 1.0, "must be >= sqrt"), (1.0, 1.25, "must be >= sqrt"), (-1.0, 1.0, "alpha must be >= 0")],
)
def test_refuses_where_no_inverse_exists(alpha, beta, message):
    with pytest.raises(ValueError, match=message):
        crl_link(np.array([0.5, 0.5]), alpha, beta)
