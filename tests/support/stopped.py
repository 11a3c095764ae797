"""Runs that end at a checkpoint, as if the plug were pulled."""

import pytest


def stopping(patch):
    """Makes the n-th checkpoint from now on the last thing that a run does; `patch.undo()` lets runs live."""
    from finegrained_crl.training import checkpoint

    real = checkpoint.save

    def arm(count):
        left = [count]

        def save(path, state, **how):
            real(path, state, **how)
            left[0] -= 1
            if left[0] == 0:
                raise RuntimeError("pulled the plug")

        patch.setattr(checkpoint, "save", save)

    return arm


@pytest.fixture
def stop_after_saves(monkeypatch):
    return stopping(monkeypatch)
