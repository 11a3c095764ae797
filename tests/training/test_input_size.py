"""Transformers at other sizes than their own: every method builds, trains a step and explains; a size that can't be is
one line."""

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file

from finegrained_crl.errors import FinegrainedError
from finegrained_crl.training.criteria import build_criteria
from finegrained_crl.training.explain import grad_cam
from finegrained_crl.training.input_size import size_options
from finegrained_crl.training.method import ModelSpec, TrainBatch
from finegrained_crl.training.recipe import Component
from finegrained_crl.training.trainee import Trainee
from finegrained_crl.training.weights import timm_classifier
from finegrained_crl_plugins.adience.method import AgeGroups
from finegrained_crl_plugins.bcnn.method import BilinearCNN
from finegrained_crl_plugins.dcl.method import DCL
from finegrained_crl_plugins.dfl.method import DFL
from finegrained_crl_plugins.resnet.method import ResNet

FAMILIES = {
    "test_vit": 64,
    "test_vit4": 96,
    "swin_tiny_patch4_window7_224": 64,
    "eva02_tiny_patch14_224": 56,
    "vit_small_patch14_dinov2": 56,
    "vit_small_patch14_reg4_dinov2": 56,
}
METHODS = {
    "resnet": ResNet(),
    "adience": AgeGroups(),
    "bcnn": BilinearCNN(compact_dim=64),
    "dfl": DFL(filters=2, init="random"),
    "dcl": DCL(grid=3),
}


def spec(backbone, size, weights="none"):
    return ModelSpec(backbone, 3, str(weights), 0.0, 0.0, size)


@pytest.mark.parametrize(
    ("backbone", "options"),
    [("test_vit", {"img_size": 64}), ("test_resnet", {}), ("resnet50", {}), ("no_such_net", {})],
)
def test_a_size_is_an_option_of_networks_that_are_built_for_one(backbone, options):
    assert size_options(backbone, 64) == options


STEPS = [(name, "test_vit") for name in METHODS] + [("resnet", "vit_small_patch14_dinov2")]
# Each method with a small transformer, one with a DINO; the others with it are slow.
MORE = [(name, "vit_small_patch14_dinov2") for name in METHODS if name != "resnet"]


@pytest.mark.parametrize(
    ("name", "backbone"), [*STEPS, *(pytest.param(*pair, marks=pytest.mark.slow) for pair in MORE)]
)
def test_a_step_and_an_explanation(name, backbone):
    torch.manual_seed(0)
    method, size = METHODS[name], FAMILIES[backbone]
    model = method.build(spec(backbone, size))
    trainee = Trainee(method, model, build_criteria(Component("crl"), method.roles(model)))
    images, labels = torch.randn(2, 3, size, size), torch.tensor([0, 2])
    stage = method.stages(None)[-1].name if name == "bcnn" else "all"
    losses, scores = method.training_step(model, trainee.criteria, TrainBatch(images, labels, stage=stage))
    sum(losses.values()).backward()
    assert scores.shape[1] == 3
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for n, p in model.named_parameters() if "patch_embed" in n)
    heat = grad_cam(trainee.eval(), images[:1], 1)
    assert heat.shape == (size, size)
    assert np.isfinite(heat).all()


@pytest.mark.parametrize("backbone", FAMILIES)
def test_every_family_takes_another_size(backbone):
    size = FAMILIES[backbone]
    net, notes = timm_classifier(spec(backbone, size))
    assert notes == ["random weights"]
    assert net(torch.zeros(1, 3, size, size)).shape == (1, 3)
    assert net.training


@pytest.mark.parametrize("backbone", ["test_vit", "swin_tiny_patch4_window7_224", "eva02_tiny_patch14_224"])
def test_positions_from_a_file_are_interpolated(backbone, tmp_path):
    torch.manual_seed(0)
    own = timm.create_model(backbone, num_classes=9)
    save_file({k: v.contiguous() for k, v in own.state_dict().items()}, tmp_path / "w.safetensors")
    size = FAMILIES[backbone]
    net, _ = timm_classifier(spec(backbone, size, tmp_path / "w.safetensors"))
    names = [n for n, p in net.named_parameters() if "pos_embed" in n or "relative_position_bias_table" in n]
    assert names
    before, after = dict(own.named_parameters()), dict(net.named_parameters())
    resized = [n for n in names if before[n].shape != after[n].shape]
    assert resized
    for name in resized:
        assert after[name].mean().item() == pytest.approx(before[name].mean().item(), abs=0.02)
        assert after[name].std().item() > before[name].std().item() / 10  # values, not zeros
    same = [n for n in before if n not in names and n in after and before[n].shape == after[n].shape]
    assert all(torch.equal(before[n], after[n]) for n in same if not n.startswith("head"))


def test_a_file_of_another_architecture_is_still_refused(tmp_path):
    save_file(timm.create_model("test_vit2").state_dict(), tmp_path / "w.safetensors")
    with pytest.raises(FinegrainedError, match=r"don't fit VisionTransformer: "):
        timm_classifier(spec("test_vit", 64, tmp_path / "w.safetensors"))


@pytest.mark.parametrize(
    ("backbone", "size", "sizes"),
    [
        ("test_vit", 100, "96 or 112"),
        ("vit_small_patch14_dinov2", 64, "56 or 70"),
        ("test_vit", 10, "16"),
        ("swin_tiny_patch4_window7_224", 66, "64 or 68"),
        ("test_coatnet", 100, "96 or 128"),
    ],
)
@pytest.mark.parametrize("method", [ResNet(), DCL()], ids=["resnet", "dcl"])
def test_a_size_that_cannot_be_names_the_nearest(method, backbone, size, sizes):
    with pytest.raises(FinegrainedError) as caught:
        method.build(spec(backbone, size))
    assert str(caught.value).startswith(f"--backbone {backbone} can't take --image-size {size}: ")
    assert str(caught.value).endswith(f"; the nearest sizes are {sizes}")
    assert "\n" not in str(caught.value)


def test_a_weights_file_of_a_fixed_size_network_says_that_the_size_is_the_trouble(monkeypatch):
    def create(name, pretrained, **options):
        raise RuntimeError("Error(s) in loading state_dict for MlpMixer: size mismatch for blocks.0")

    real = timm.create_model
    monkeypatch.setattr(
        timm,
        "create_model",
        lambda name, pretrained=False, **o: create(name, pretrained, **o) if pretrained else real(name, **o),
    )
    monkeypatch.setattr("finegrained_crl.training.weights._hub_answers", lambda: True)
    with pytest.raises(FinegrainedError, match=r"--backbone mixer_s32_224 can't take --image-size 96: .*size mismatch"):
        timm_classifier(spec("mixer_s32_224", 96, "pretrained"))
