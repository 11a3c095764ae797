"""What of a study is not as printed, and that its plan keeps it."""

import pytest

from finegrained_crl.crossval.origin import Origin, departures, origin_from_dict
from finegrained_crl.crossval.study import Study, StudyFolder
from finegrained_crl.training.recipe import Component, Recipe

CRL = Component("crl", {"alpha": 1.5})
PRINTED = {"ce": Recipe(loss=Component("ce"), epochs=300), "crl": Recipe(loss=CRL, epochs=300)}


@pytest.mark.parametrize(
    ("asked", "texts"),
    [
        (PRINTED, ()),
        ({"ce": PRINTED["ce"].replace(epochs=2)}, ("epochs 2, not 300",)),
        ({"crl": PRINTED["crl"].replace(loss=Component("crl", {"alpha": 2.0}))}, ("loss.alpha 2.0, not 1.5",)),
        ({"ce": PRINTED["ce"].replace(decay_epochs=[1, 2])}, ("decay_epochs 1 2, not ",)),
        ({"ce": PRINTED["ce"].replace(data="x", seed=4, precision="bf16", compile=True)}, ()),
        ({"ce backbone=small": PRINTED["ce"].replace(backbone="small")}, ("backbone small, not resnet50",)),
        ({"focal": Recipe(loss=Component("focal"), epochs=1)}, ()),
    ],
)
def test_what_is_not_as_printed(asked, texts):
    assert departures(asked, PRINTED) == texts


def test_a_studys_plan_keeps_where_it_comes_from(tmp_path):
    origin = Origin("me/table", "one", "short", ("epochs 2, not 300",))
    place = StudyFolder(tmp_path / "study")
    place.write(Study({"ce": Recipe()}, [None], [0], 1, origin=origin))
    assert place.read().origin == origin
    assert origin_from_dict(None) is None


def test_an_option_that_only_the_printed_one_sets_is_a_departure():
    printed = {"crl": Recipe(loss=Component("crl", {"alpha": 2.0}))}
    assert departures({"crl": Recipe(loss=Component("crl"))}, printed) == ("loss.alpha None, not 2.0",)
