"""Fixtures for the tests of data."""

import pytest


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    """A cache of hashes of the test's own: none is left in the user's folder, none is found there."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("FINEGRAINED_CRL_CACHE", str(folder))
    return folder
