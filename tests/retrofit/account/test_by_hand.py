"""Cross-entropies written by hand are known by their graph; other uses of log_softmax are none."""

import pytest
import torch
from torch.nn import functional as F

from finegrained_crl.retrofit.account.by_hand import are_targets
from finegrained_crl.retrofit.account.uses import uses_of_values

Y = torch.tensor([0, 3, 1, 4, 2, 2])
ONE_HOT = F.one_hot(Y, 5).float()
MIXED = 0.7 * ONE_HOT + 0.3 * ONE_HOT.roll(1, 0)
TEACHER = torch.tensor([[1.0, 2, 3, 4, 5]] * 6).softmax(1)


@pytest.fixture
def z():
    return torch.randn(6, 5, generator=torch.Generator().manual_seed(0), requires_grad=True)


def stable_logsumexp(z):
    largest = z.max(1).values.detach()
    return (z - largest[:, None]).exp().sum(1).log() + largest


def stable_log_softmax(z):
    shifted = z - z.max(1, keepdim=True).values
    return shifted - shifted.exp().sum(1, keepdim=True).log()


BY_HAND = {
    "entry": lambda z: -z.log_softmax(1).gather(1, Y[:, None]).mean(),
    "entry along": lambda z: -torch.take_along_dim(z.log_softmax(1), Y[:, None], 1).mean(),
    "one-hot": lambda z: -(ONE_HOT * z.log_softmax(1)).sum(1).mean(),
    "mixed": lambda z: -(z.log_softmax(1) * MIXED).sum(1).mean(),
    "smoothed": lambda z: -(z.log_softmax(1) * (0.9 * ONE_HOT + 0.02)).sum(1).mean(),
    "divergence": lambda z: F.kl_div(z.log_softmax(1), ONE_HOT, reduction="batchmean"),
    "boolean mask": lambda z: -z.log_softmax(1).masked_select(ONE_HOT.bool()).mean(),
    "logsumexp": lambda z: (z.logsumexp(1) - z[torch.arange(6), Y]).mean(),
    "less logsumexp": lambda z: -(z - z.logsumexp(1, keepdim=True)).gather(1, Y[:, None]).mean(),
    "exp, sum, log": lambda z: (z.exp().sum(1).log() - z.gather(1, Y[:, None])[:, 0]).mean(),
    "diagonal": lambda z: -(ONE_HOT @ z.log_softmax(1).t()).diagonal().mean(),
    "diagonal of the other order": lambda z: -(z.log_softmax(1) @ MIXED.t()).diag().mean(),
    "trace": lambda z: -torch.trace(ONE_HOT.t() @ z.log_softmax(1)) / 6,
    "tensordot": lambda z: -torch.tensordot(z.log_softmax(1), ONE_HOT) / 6,
    "dot": lambda z: -torch.dot(z.log_softmax(1).flatten(), ONE_HOT.flatten()) / 6,
    "einsum of all": lambda z: -torch.einsum("bc,bc->", ONE_HOT, z.log_softmax(1)) / 6,
    "log of softmax": lambda z: -(ONE_HOT * (z.softmax(1) + 1e-8).log()).sum(1).mean(),
    "log of bounded softmax": lambda z: -z.softmax(1).clamp(1e-7, 1 - 1e-7).log()[torch.arange(6), Y].mean(),
    "exp over its sum": lambda z: -(ONE_HOT * (z.exp() / z.exp().sum(1, keepdim=True)).log()).sum(1).mean(),
    "entries of rows": lambda z: -torch.stack([row[c] for row, c in zip(z.log_softmax(1), Y, strict=True)]).mean(),
    "row by row": lambda z: -sum(z.log_softmax(1)[i] @ ONE_HOT[i] for i in range(6)) / 6,
    "flat index": lambda z: -z.log_softmax(1).flatten().index_select(0, torch.arange(6) * 5 + Y).mean(),
    "masked fill": lambda z: -z.log_softmax(1).masked_fill(ONE_HOT == 0, 0).sum() / 6,
    "where": lambda z: -torch.where(ONE_HOT.bool(), z.log_softmax(1), 0.0).sum() / 6,
    "where not": lambda z: -torch.where(ONE_HOT == 0, 0.0, z.log_softmax(1)).sum() / 6,
    "margins": lambda z: (z - z.gather(1, Y[:, None])).logsumexp(1).mean(),
    "log of margins": lambda z: (z - z[torch.arange(6), Y][:, None]).exp().sum(1).log().mean(),
    "largest logit taken off": lambda z: (stable_logsumexp(z) - z[torch.arange(6), Y]).mean(),
    "largest logit taken off for good": lambda z: -stable_log_softmax(z).gather(1, Y[:, None]).mean(),
    "of probabilities": lambda z: -torch.distributions.Categorical(probs=z.softmax(1)).log_prob(Y).mean(),
    "in bits": lambda z: -z.softmax(1).log2()[torch.arange(6), Y].mean(),
    "x log y": lambda z: -torch.xlogy(ONE_HOT, z.softmax(1)).sum(1).mean(),
    "less one-hot": lambda z: (-ONE_HOT * z.log_softmax(1)).sum(1).mean(),
    "einsum": lambda z: -torch.einsum("bc,bc->b", ONE_HOT, z.log_softmax(1)).mean(),
}
OTHERS = {
    "a teacher's scores": lambda z: -(TEACHER * z.log_softmax(1)).sum(1).mean(),
    "divergence from a teacher": lambda z: F.kl_div(z.log_softmax(1), TEACHER, reduction="batchmean"),
    "entropy": lambda z: -(z.softmax(1) * z.log_softmax(1)).sum(1).mean(),
    "the mean of all": lambda z: -z.log_softmax(1).mean(),
    "positives of a batch": lambda z: -((z @ z.t()).log_softmax(1) * torch.eye(6).roll(1, 0)).sum(1).mean(),
    "all pairs": lambda z: -(ONE_HOT @ z.log_softmax(1).t()).mean(),
    "a similarity's trace": lambda z: -torch.trace(z @ ONE_HOT.t()),
    "entropy by log of softmax": lambda z: -(z.softmax(1) * (z.softmax(1) + 1e-8).log()).sum(1).mean(),
    "rows chosen": lambda z: -z.log_softmax(1).index_select(0, Y).mean(),
    "energy less a maximum": lambda z: (z - z.max(1, keepdim=True).values).logsumexp(1).mean(),
    "some classes masked": lambda z: -z.log_softmax(1).masked_fill(TEACHER > 0.1, 0).mean(),
    "energy": lambda z: z.logsumexp(1).mean(),
    "a margin of other logits": lambda z: (z.logsumexp(1) - (2 * z).gather(1, Y[:, None])[:, 0]).mean(),
    "logits chosen": lambda z: z.gather(1, Y[:, None]).mean(),
    "several classes chosen": lambda z: -z.log_softmax(1).masked_select(TEACHER > 0.1).mean(),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_it_is_known_by_its_graph(z, name):
    assert "written by hand" in uses_of_values([BY_HAND[name](z)]).unseen


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_no_cross_entropy_is_left_alone(z, name):
    assert uses_of_values([OTHERS[name](z)]).unseen == ""


@pytest.mark.parametrize(
    "loss",
    [
        F.binary_cross_entropy_with_logits,
        lambda z, y: F.binary_cross_entropy(z.sigmoid(), y),
        lambda z, y: -(y * F.logsigmoid(z) + (1 - y) * F.logsigmoid(-z)).mean(),
    ],
)
def test_a_binary_cross_entropy_of_one_class_each_is_told(z, loss):
    labels = torch.tensor([[1.0, 0, 1, 0, 0]] * 6)
    assert "binary cross-entropy per class" in uses_of_values([loss(z, ONE_HOT)]).unseen
    assert uses_of_values([loss(z, labels)]).unseen == ""


def test_scores_of_few_classes_must_be_one_hot():
    assert are_targets(torch.eye(2)[[0, 1, 1]])
    assert not are_targets(torch.tensor([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6]]))
    assert not are_targets(torch.tensor([[0.5, 0.3, 0.1, 0.1], [0.1, 0.1, 0.2, 0.6]]))


@pytest.mark.parametrize("odd", [None, torch.ones(5), torch.ones(0, 5), torch.ones(3, 1)])
def test_what_has_no_rows_of_classes_is_no_target(odd):
    assert not are_targets(odd)
