"""Features on disk: the evaluation's views averaged, then each augmented view of the training pictures, row by row."""

import contextlib
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from finegrained_crl.errors import FinegrainedError
from finegrained_crl.probes import features
from finegrained_crl.training.recipe import Recipe

ROWS = 5


def loader_of(pictures, keys, *, batch_size, workers):
    """Batches of numbers that say where they are from: pictures + 100 x view + row, twice apart by two at
    evaluation.
    """
    for start in range(0, len(keys), batch_size):
        values = torch.tensor([[pictures + 100 * view + row] for view, row in keys[start : start + batch_size]])
        seen = [values, values + 2] if pictures == 0 else [values]
        yield SimpleNamespace(images=torch.stack(seen, dim=1).float(), labels=values[:, 0])


@pytest.fixture
def session(monkeypatch):
    """A model that hands its input on, for loaders of numbers."""
    monkeypatch.setattr(features, "keyed_loader", loader_of)
    monkeypatch.setattr(features, "batches", lambda loader: loader)

    class Model:
        feature_dim = 1

        def __call__(self, inputs):
            return SimpleNamespace(features=inputs)

    return SimpleNamespace(
        recipe=Recipe(data="x", batch_size=2),
        options=SimpleNamespace(workers=0),
        data=SimpleNamespace(digest="abc"),
        records=SimpleNamespace(table=range(ROWS)),
        trainee=SimpleNamespace(model=Model(), eval=lambda: None),
        scorer=SimpleNamespace(inputs=lambda images: images.flatten(0, 1)),
        accelerator=SimpleNamespace(autocast=contextlib.nullcontext),
        eval_pictures=0,
        train_pictures=1000,
    )


def test_every_row_stands_in_the_table_of_its_view(session, tmp_path):
    told = []
    table = features.cached_features(session, tmp_path, 2, told.append)
    rows = np.arange(ROWS)
    assert table[..., 0].tolist() == [(rows + 1).tolist(), (1100 + rows).tolist(), (1200 + rows).tolist()]
    assert told[-1] == f"features: view 3 of 3, {ROWS} pictures"


def test_features_of_other_data_or_settings_are_refused(session, tmp_path):
    features.cached_features(session, tmp_path, 1, print)
    for change in ({"views": "flip"}, {"image_size": 64}, {"backbone": "resnet18"}):
        other = SimpleNamespace(**{**vars(session), "recipe": session.recipe.replace(**change)})
        with pytest.raises(FinegrainedError, match="holds other features"):
            features.cached_features(other, tmp_path, 1, print)
    with pytest.raises(FinegrainedError, match="views: 1 there, 2 asked"):
        features.cached_features(session, tmp_path, 2, print)
    session.data.digest = "other"
    with pytest.raises(FinegrainedError, match="data: abc there, other asked"):
        features.cached_features(session, tmp_path, 1, print)


def test_a_feature_that_is_no_number_is_refused(session, tmp_path):
    session.scorer.inputs = lambda images: images.flatten(0, 1) * torch.nan
    with pytest.raises(FinegrainedError, match="is no number, or too large for half precision"):
        features.cached_features(session, tmp_path, 0, print)
