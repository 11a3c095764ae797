"""The resnet method on several families of timm models."""

import pytest
import timm
import torch

from finegrained_crl import CompetingRatioLoss
from finegrained_crl.training.criteria import Criteria
from finegrained_crl.training.method import Method, ModelSpec, TrainBatch
from finegrained_crl_plugins.resnet.method import ResNet


def build(backbone, size=64, **changes):
    return ResNet().build(
        ModelSpec(backbone, 7, "none", changes.get("drop_rate", 0.0), changes.get("drop_path_rate", 0.0), size)
    )


# Layers behind the pooling: MobileNet has them too; VGG's take seconds to initialise.
@pytest.mark.parametrize(
    "backbone",
    [
        *("test_resnet", "test_efficientnet", "test_vit", "test_convnext", "mobilenetv3_small_050"),
        pytest.param("vgg11", marks=pytest.mark.slow),
    ],
)
def test_logits_are_timms_and_features_fit_the_classifier(backbone):
    torch.manual_seed(0)
    model = build(backbone).eval()
    size = model.net.default_cfg["input_size"][-1]
    images = torch.randn(2, 3, size, size)
    with torch.no_grad():
        outputs = model(images)
        torch.testing.assert_close(outputs.logits, model.net(images))
    assert outputs.features.shape == (2, model.feature_dim)
    assert outputs.logits.shape == (2, 7)


def test_a_pair_of_heads_is_averaged_as_timm_does():
    model = build("deit_tiny_distilled_patch16_224", 224).eval()
    images = torch.randn(1, 3, 224, 224)
    with torch.no_grad():
        torch.testing.assert_close(model(images).logits, model.net(images))
    assert len(model.head_modules()) == 2


def test_normalisation_is_the_models_own():
    config = timm.create_model("tf_efficientnet_lite0").default_cfg
    model = build("tf_efficientnet_lite0")
    assert (model.mean, model.std) == (tuple(config["mean"]), tuple(config["std"]))
    assert model.mean == (0.5, 0.5, 0.5)
    assert build("resnet10t").mean == tuple(timm.create_model("resnet10t").default_cfg["mean"]) != model.mean


def test_one_role_with_the_criterions_value():
    method, criterion = ResNet(), CompetingRatioLoss()
    assert isinstance(method, Method)
    model = build("test_resnet").eval()
    images, labels = torch.randn(4, 3, 64, 64), torch.tensor([0, 1, 2, 3])
    losses, scores = method.training_step(model, Criteria({"class": criterion}), TrainBatch(images, labels))
    assert set(losses) == {"class"}
    torch.testing.assert_close(losses["class"], criterion(scores, labels))


@pytest.mark.realdata
def test_real_weights_recognise_imagenet_pictures(shared_data):
    import numpy as np
    import pandas as pd

    from finegrained_crl.data.images import read_image
    from finegrained_crl.data.normalise import normaliser
    from finegrained_crl.data.transforms import EvalTransform, ImageSettings
    from finegrained_crl.training.weights import read_weights

    model = ResNet().build(ModelSpec("tf_efficientnet_lite0", 1000, "none", 0.0, 0.0, 224)).eval()
    model.net.load_state_dict(read_weights(shared_data / "imagenet_weights" / "tf_efficientnet_lite0.safetensors"))
    table = pd.read_csv(shared_data / "imagenet_samples100" / "labels.csv").iloc[::4]
    transform = EvalTransform(ImageSettings(224, "crop", 1.143, 1.143, 1.0, 0, 0, 0, 0, "single"))
    pixels = np.stack(
        [transform(read_image(shared_data / "imagenet_samples100" / "images" / f)) for f in table["filename"]]
    )
    images = normaliser(model.mean, model.std, torch.device("cpu"))(torch.from_numpy(pixels))
    with torch.no_grad():
        hits = (model(images).logits.argmax(1).numpy() == table["imagenet_class_index"].to_numpy()).mean()
    assert hits > 0.7


def test_logits_and_features_share_one_dropout():
    torch.manual_seed(0)
    model = build("test_resnet", drop_rate=0.5)
    outputs = model(torch.randn(4, 3, 64, 64))
    torch.testing.assert_close(outputs.logits, model.head_modules()[0](outputs.features))
    assert (outputs.features == 0).any()


@pytest.mark.parametrize(
    ("backbone", "blocks_after"),
    [("test_vit", 1), ("test_vit2", 0), ("swin_tiny_patch4_window7_224", 0), ("test_resnet", 0)],
)
def test_grad_cam_looks_at_the_last_stage_that_the_classified_features_came_through(backbone, blocks_after):
    """Where the class token alone is classified, the last block's patches are read by nobody."""
    model = build(backbone)
    stages = [stage["module"] for stage in model.net.feature_info]
    assert model.cam_module() is model.net.get_submodule(stages[-1 - blocks_after])
