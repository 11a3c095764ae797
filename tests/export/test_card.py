"""The card of an exported model says what its program must do: sizes, sides, decoder, registration."""

from types import SimpleNamespace

import pytest

from finegrained_crl.export.card import export_card
from finegrained_crl.export.parity import Parity
from finegrained_crl.training.recipe import Component, Recipe


@pytest.fixture
def card():
    """Writes the card of a run that a test describes."""

    def write(kind="onnx", decoder="median", face_crop=None, **settings):
        recipe = Recipe(data="x", method=Component("adience"), loss=Component("crl"), image_size=32, **settings)
        predictor = SimpleNamespace(
            recipe=recipe,
            class_names=["young", "old"],
            face_crop=face_crop,
            scorer=SimpleNamespace(decoder=decoder),
            trainee=SimpleNamespace(model=SimpleNamespace(mean=(0.5,) * 3, std=(0.25,) * 3)),
            transform=SimpleNamespace(settings=SimpleNamespace(side_before_crop=lambda ratio: round(32 * ratio))),
        )
        return export_card(predictor, kind, {"float32": Parity(7, 1e-6, 1.0, None, None)}, ["a note"])

    return write


def test_what_comes_before_the_network(card):
    text = card(eval_resize_ratio=1.25, views="flip", face_crop={"margin": 0.4})
    assert "# resnet50, adience, loss crl, as onnx" in text
    assert "- resize the short side to 40 pixels (areas averaged), crop 32 pixels from the centre" in text
    assert "values from 0 to 255; normalisation is inside the network" in text
    assert "- the run's views: flip (scores averaged); its decoder: median" in text
    assert "the longer side of the box and on each side 0.4 of it" in text
    assert "- 2 classes" in text
    assert "resize both sides to 32 pixels" in card(resize="squash", eval_resize_ratio=1.0)
    assert "faces are cut out" not in card()


def test_what_was_compared(card):
    assert "- float32: 7 pictures: largest difference of a score 1e-06" in card()
    assert "- a note" in card()


@pytest.mark.parametrize(("kind", "backbone", "registers"), [
    ("timm", "cifar_resnet20", True),
    ("timm", "resnet50", False),
    ("onnx", "cifar_resnet20", False),
])  # fmt: skip
def test_a_network_of_this_package_is_registered_first(card, kind, backbone, registers):
    assert ("register_networks()" in card(kind, backbone=backbone)) == registers


def test_timm_normalises_by_itself(card):
    assert "timm's transform normalises" in card("timm")
    assert "`config.json` and `model.safetensors`" in card("timm")
