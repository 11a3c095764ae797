"""Whole runs of plain fine-tuning: what the public recipes change reaches the run, and a frozen probe moves one layer."""

import pytest
from safetensors.torch import load_file

from finegrained_crl.data.loading import EpochOrder


@pytest.mark.parametrize(("flag", "sizes"), [((), [9, 9]), (("--drop-last", "false"), [9, 9, 6])])
def test_the_last_batch_is_trained_on_where_the_recipe_says_so(flag, sizes, finetune_birds, tmp_path, monkeypatch):
    """24 pictures in batches of 9."""
    shown, iterate = [], EpochOrder.__iter__

    def recorded(order):
        for batch in iterate(order):
            shown.append(len(batch))
            yield batch

    monkeypatch.setattr(EpochOrder, "__iter__", recorded)
    assert finetune_birds("--batch-size", 9, "--epochs", 1, "--out", tmp_path / "run", *flag) == 0
    assert shown == sizes


@pytest.fixture
def random_weights(tmp_path):
    import timm
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(3)
    save_file(timm.create_model("test_resnet").state_dict(), tmp_path / "w.safetensors")
    return tmp_path / "w.safetensors"


def test_a_probe_moves_the_classifier_alone(finetune_birds, random_weights, tmp_path):
    words = ["--recipe", "cub-probe", "--weights", random_weights, "--out", tmp_path / "run"]
    assert finetune_birds(*words, "--warmup-epochs", 0, "--schedule", "constant") == 0
    before, after = load_file(random_weights), load_file(tmp_path / "run" / "checkpoints" / "model_last.safetensors")
    moved = [name for name in after if after[name].shape != before[name].shape or not bool((after[name] == before[name]).all())]
    assert moved == ["fc.bias", "fc.weight"] or moved == ["fc.weight", "fc.bias"]
