"""Features computed once: what is read is what the network gave for that view of that picture."""

import numpy as np
import pytest
import torch

from finegrained_crl.errors import FinegrainedError
from finegrained_crl.training import feature_cache as module
from finegrained_crl.training.feature_cache import FeatureCache


@pytest.fixture
def session(make_session, knowing, monkeypatch):
    def features(self, model, images):
        assert not model.training
        assert not torch.is_grad_enabled()
        return images[:, :2, 5, ::7]

    monkeypatch.setattr(knowing.Knowing, "features", features)
    return make_session("--batch-size", "4", "--hflip", "0.5", "--seed", "2", "--drop-last", "false")


def by_hand(session, view, row):
    image = session.train_pictures[(view, row)][0]
    return session.scorer.inputs(image[None])[0, :2, 5, ::7].numpy()


@pytest.mark.parametrize("views", [1, 2])
def test_each_epoch_reads_its_view(session, views):
    session.trainee.train()
    cache = FeatureCache(session, views)
    cache.fill()
    assert session.trainee.training
    labels = session.records.table["label"].to_numpy()
    for epoch in range(4):
        session.order.at(epoch)
        rows = []
        for batch in cache.batches():
            for features, label, row in zip(batch.images, batch.labels, batch.rows, strict=True):
                np.testing.assert_allclose(features, by_hand(session, epoch % views, int(row)), atol=2e-3)
                assert label == labels[row]
                rows.append(int(row))
        assert sorted(rows) == session.parts.train.tolist()
    views_differ = [not np.allclose(by_hand(session, 0, row), by_hand(session, 1, row)) for row in range(14)]
    assert any(views_differ)


def test_is_computed_once_and_removed(session, monkeypatch):
    cache = FeatureCache(session, 1)
    cache.fill()
    assert [path.name for path in cache.path.parent.iterdir()] == ["features_1_views.npy"]
    monkeypatch.setattr(FeatureCache, "_compute", lambda self: pytest.fail("computed again"))
    FeatureCache(session, 1).fill()
    cache.remove()
    assert not cache.path.parent.exists()


def test_a_disk_that_is_too_small_and_a_feature_that_is_too_large(session, knowing, monkeypatch):
    monkeypatch.setattr(module.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 100}))
    with pytest.raises(FinegrainedError, match="cache fewer views, or none"):
        FeatureCache(session, 1).fill()
    monkeypatch.undo()
    for value in (1e6, -1e6):
        monkeypatch.setattr(
            type(session.trainee.method),
            "features",
            lambda self, model, x, value=value: x[:, 0] * 0 + value,
            raising=False,
        )
        with pytest.raises(FinegrainedError, match="too large for the half-precision cache"):
            FeatureCache(session, 2).fill()
