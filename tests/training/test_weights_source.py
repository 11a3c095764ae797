"""Which weights were loaded: tag, address, file and digest."""

import hashlib
import shutil
from types import SimpleNamespace

import huggingface_hub
import pytest
import timm
import torch
from safetensors.torch import save_file

from finegrained_crl.training import weights, weights_source
from finegrained_crl.training.method import ModelSpec
from finegrained_crl.training.weights_source import WeightsSource, of_pretrained, weights_sources
from finegrained_crl_plugins.bcnn.method import BilinearCNN
from finegrained_crl_plugins.dcl.method import DCL
from finegrained_crl_plugins.dfl.method import DFL
from finegrained_crl_plugins.resnet.method import ResNet


def spec(weights="none", backbone="test_resnet"):
    return ModelSpec(backbone, 3, str(weights), 0.0, 0.0, 64)


@pytest.fixture
def file(tmp_path):
    torch.manual_seed(1)
    path = tmp_path / "own.safetensors"
    save_file(timm.create_model("test_resnet", num_classes=9).state_dict(), path)
    return path


@pytest.fixture
def downloaded(file, tmp_path, monkeypatch):
    """The hub's cache as timm finds it after a download, and a timm that reads it."""
    cached = tmp_path / "model.safetensors"
    shutil.copy(file, cached)
    places = {("timm/test_resnet.r160_in1k", "model.safetensors"): str(cached)}
    monkeypatch.setattr(
        huggingface_hub, "try_to_load_from_cache", lambda repository, name: places.get((repository, name))
    )
    create = timm.create_model
    monkeypatch.setattr(timm, "create_model", lambda name, pretrained=False, **options: create(name, **options))
    return cached


@pytest.mark.parametrize("method", [ResNet(), BilinearCNN(), DFL(), DCL()], ids=lambda m: type(m).__name__)
def test_a_files_digest_is_on_every_methods_model(method, file):
    (source,) = weights_sources(method.build(spec(file)))
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert source == {
        "kind": "file",
        "backbone": "test_resnet",
        "url": None,
        "file": "own.safetensors",
        "sha256": digest,
    }


def test_two_streams_have_two_sources(file):
    method = BilinearCNN(second_backbone="test_resnet", second_weights=str(file))
    model = method.build(spec())
    assert [source["kind"] for source in weights_sources(model)] == [
        "none",
        "none",
    ]  # a predictor asks for none of both
    model = method.build(spec(file))
    assert [source["kind"] for source in weights_sources(model)] == ["file", "file"]


def test_random_weights_say_so():
    assert weights_sources(ResNet().build(spec())) == [WeightsSource("none", "test_resnet").as_dict()]
    assert ResNet().build(spec()).notes == ["random weights"]


@pytest.mark.parametrize("name", ["test_resnet", "test_resnet.r160_in1k"])
def test_pretrained_weights_name_the_tag_that_timm_resolved(name, downloaded):
    net, notes = weights.timm_classifier(spec("pretrained", name))
    digest = hashlib.sha256(downloaded.read_bytes()).hexdigest()
    address = "hf-hub:timm/test_resnet.r160_in1k"
    assert net.weights_source == WeightsSource(
        "pretrained", "test_resnet.r160_in1k", address, "model.safetensors", digest
    )
    assert notes == [f"pretrained weights {address} of test_resnet.r160_in1k, SHA-256 {digest[:12]}", "head new"]


def test_weights_from_an_address_are_found_in_torchs_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "net-1.pth").write_bytes(b"tensors")

    class Net:
        pretrained_cfg = {"url": "https://example.org/a/net-1.pth", "tag": "tv_in1k"}  # noqa: RUF012

    source = weights_source.of_pretrained(Net(), "net")
    digest = hashlib.sha256(b"tensors").hexdigest()
    assert source == WeightsSource("pretrained", "net.tv_in1k", "https://example.org/a/net-1.pth", "net-1.pth", digest)


def test_what_is_not_found_is_not_invented(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))

    class Net:
        pretrained_cfg = {"url": "https://example.org/net.pth", "tag": ""}  # noqa: RUF012

    source = weights_source.of_pretrained(Net(), "net")
    assert (source.backbone, source.file, source.sha256) == ("net", None, None)


def test_weights_of_a_hub_that_came_from_their_address_are_known_too(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "net.pth").write_bytes(b"weights")
    config = {"tag": "a1", "hf_hub_id": "timm/there_is_none.a1", "url": "https://example.org/net.pth"}
    source = of_pretrained(SimpleNamespace(pretrained_cfg=config), "net")
    assert (source.file, source.sha256) == ("net.pth", hashlib.sha256(b"weights").hexdigest())
    assert (source.backbone, source.url) == ("net.a1", "hf-hub:timm/there_is_none.a1")
