"""Weights from files and from the hub: what fits, what is refused, what is said offline."""

import hashlib
import pickle

import pytest
import timm
import torch

from finegrained_crl.errors import FinegrainedError
from finegrained_crl.training import weights
from finegrained_crl.training.method import ModelSpec


@pytest.fixture
def state():
    torch.manual_seed(1)
    return timm.create_model("test_resnet", num_classes=9).state_dict()


def load(path):
    torch.manual_seed(2)
    return weights.timm_classifier(ModelSpec("test_resnet", 3, str(path), 0.0, 0.0, 32))


@pytest.mark.parametrize(
    "wrap",
    [
        lambda s: s,
        lambda s: {"state_dict": s, "epoch": 3},
        lambda s: {"model": s},
        lambda s: {"state_dict": {f"module.{k}": v for k, v in s.items()}},
    ],
    ids=["bare", "state_dict", "model", "module."],
)
def test_wrappings_are_removed_and_the_head_is_new(wrap, state, tmp_path):
    torch.save(wrap(state), tmp_path / "w.pth")
    model, notes = load(tmp_path / "w.pth")
    assert all(torch.equal(v, state[k]) for k, v in model.state_dict().items() if not k.startswith("fc."))
    assert model.fc.weight.shape[0] == 3
    digest = hashlib.sha256((tmp_path / "w.pth").read_bytes()).hexdigest()
    assert notes == [
        f"file weights w.pth of test_resnet, SHA-256 {digest[:12]}",
        f"{len(state) - 2} tensors from w.pth",
        "old head dropped (fc.weight, fc.bias)",
    ]


def test_an_old_head_of_the_same_size_is_dropped_too(tmp_path):
    torch.manual_seed(1)
    old = timm.create_model("test_resnet", num_classes=3)
    torch.save(old.state_dict(), tmp_path / "w.pth")
    assert not torch.equal(load(tmp_path / "w.pth")[0].fc.weight, old.fc.weight)


def test_every_kind_of_misfit_is_listed(state, tmp_path):
    del state["bn1.weight"]
    state["extra"] = torch.zeros(1)
    state["bn1.bias"] = torch.zeros(5)
    torch.save(state, tmp_path / "w.pth")
    with pytest.raises(
        FinegrainedError,
        match=r"1 missing \(bn1.weight\); 1 unexpected \(extra\); 1 of another shape \(bn1.bias \(5,\) for",
    ):
        load(tmp_path / "w.pth")


def test_damaged_unsafe_and_empty_files_are_told_apart(tmp_path):
    (tmp_path / "junk.safetensors").write_bytes(b"junk")
    with pytest.raises(FinegrainedError, match=r"junk\.safetensors can't be read"):
        load(tmp_path / "junk.safetensors")
    (tmp_path / "code.pth").write_bytes(pickle.dumps({"state_dict": print}, protocol=2))
    with pytest.raises(
        FinegrainedError, match=r"code\.pth refused: the pickle holds more than tensors and could run code"
    ):
        load(tmp_path / "code.pth")
    torch.save({"state_dict": {}}, tmp_path / "empty.pth")
    with pytest.raises(FinegrainedError, match="hold no tensors"):
        load(tmp_path / "empty.pth")


def test_offline_says_what_to_do_at_once(monkeypatch, tmp_path):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", constants.HF_HUB_OFFLINE)  # put back afterwards
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(weights, "_hub_answers", lambda: False)
    with pytest.raises(
        FinegrainedError, match=r"can't get pretrained weights of 'resnet18'.*give --weights FILE or --weights none"
    ):
        weights.timm_classifier(ModelSpec("resnet18", 3, "pretrained", 0.0, 0.0, 32))


def test_a_name_that_timm_lacks_gets_the_nearest():
    with pytest.raises(FinegrainedError, match="timm has no model 'resnet_50'; did you mean"):
        weights.timm_classifier(ModelSpec("resnet_50", 3, "none", 0.0, 0.0, 32))


def test_a_name_like_no_other_does_not_list_a_thousand_models():
    with pytest.raises(FinegrainedError, match="timm has no model 'zzzzqq'") as caught:
        weights.timm_classifier(ModelSpec("zzzzqq", 3, "none", 0.0, 0.0, 32))
    assert len(str(caught.value)) < 200


def test_dropout_and_stochastic_depth_reach_the_network():
    net, _ = weights.timm_classifier(ModelSpec("test_resnet", 3, "none", 0.35, 0.0, 32))
    assert net.drop_rate == 0.35
    deep, _ = weights.timm_classifier(ModelSpec("test_convnext", 3, "none", 0.0, 0.4, 32))
    rates = [module.drop_prob for module in deep.modules() if type(module).__name__ == "DropPath"]
    assert max(rates) == pytest.approx(0.4)
