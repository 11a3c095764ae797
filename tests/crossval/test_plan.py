import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finegrained_crl.crossval.plan import controls_of, make_cells, make_variants, parse_grid
from finegrained_crl.crossval.study import Study, StudyFolder, study_differences
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.training.recipe import Component, Recipe

CRL = Recipe(data="x", loss=Component("crl", {"alpha": 1.5, "beta": 1.0}), lr=0.03, weight_decay=1e-4)
CE = Recipe(data="x", loss=Component("ce"), lr=0.03, weight_decay=1e-4)


def variants(grid=(), controls=None, bases=(CE, CRL)):
    return make_variants(bases, parse_grid(list(grid)), controls, lambda recipe: recipe)


def test_grid_goes_to_the_losses_that_have_the_option():
    found = variants(["loss.alpha=1,1.5,2", "loss.beta=0.5,1"])
    assert next(iter(found)) == "ce"
    assert len(found) == 1 + 6
    assert found["crl loss.alpha=2 loss.beta=0.5"].loss.options == {"alpha": 2, "beta": 0.5}


def test_grid_of_any_setting():
    found = variants(["lr=0.1,1e-3", "backbone=a,b"])
    assert len(found) == 8
    assert found["ce lr=0.001 backbone=b"].lr == 0.001
    assert found["ce lr=0.001 backbone=b"].backbone == "b"


def test_controls_of_the_paper():
    found = variants(controls=[])
    assert list(found) == ["ce", "crl", "ce lr x1.667", "ce wd x0.6", "soft-margin m=0.5108", "poly1 eps=0.6667"]
    assert found["ce lr x1.667"].lr == pytest.approx(0.05)
    assert found["ce wd x0.6"].weight_decay == pytest.approx(6e-5)
    assert found["soft-margin m=0.5108"].loss.options["margin"] == pytest.approx(math.log(1 + 1 / 1.5))
    assert found["poly1 eps=0.6667"].loss.options["epsilon"] == pytest.approx(2 / 3)
    assert list(variants(controls=["lr"])) == ["ce", "crl", "ce lr x1.667"]
    assert controls_of(CRL.replace(head_lr=0.3), ["lr"])["ce lr x1.667"].head_lr == pytest.approx(0.5)


def test_the_soft_margin_control_coincides_with_crl():
    torch = pytest.importorskip("torch")
    from finegrained_crl.losses import CompetingRatioLoss, SoftMarginSoftmaxLoss

    logits, target = torch.randn(16, 8, dtype=torch.float64), torch.arange(16) % 8
    gradients = []
    for loss in (CompetingRatioLoss(1.5, 1.0), SoftMarginSoftmaxLoss(math.log1p(1 / 1.5))):
        leaf = logits.clone().requires_grad_()
        loss(leaf, target).backward()
        gradients.append(leaf.grad)
    torch.testing.assert_close(*gradients)


@settings(max_examples=50)
@given(
    st.lists(st.integers(0, 4), min_size=1, max_size=5, unique=True),
    st.lists(st.integers(0, 9), min_size=1, max_size=3, unique=True),
    st.booleans(),
)
def test_every_combination_once_and_comparable_cells_together(folds, seeds, controls):
    names = variants(controls=[] if controls else None)
    cells = make_cells(names, folds, seeds)
    assert len({cell.name for cell in cells}) == len(cells) == len(names) * len(folds) * len(seeds)
    assert {cell.variant for cell in cells[: len(names)]} == set(names)
    assert all((cell.recipe.fold, cell.recipe.seed) == (cell.fold, cell.seed) for cell in cells)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: variants(["loss.alhpa=1"]),
            "--grid loss.alhpa: no such setting of these losses; did you mean 'loss.alpha'",
        ),
        (lambda: variants(["loss.alpha=1"], bases=(CE,)), "no such setting"),
        (lambda: variants(["seed=1,2"]), "give these with --seeds"),
        (lambda: variants(["lr"]), "expected SETTING=VALUE"),
        (lambda: variants(["lr=1,1"]), "twice"),
        (lambda: variants(controls=[], bases=(CE,)), "add crl to --losses"),
        (lambda: variants(controls=["wdd"]), "--controls wdd: did you mean 'wd'"),
        (lambda: variants(bases=(CE, CE)), "two variants are called 'ce'"),
        (lambda: make_cells({"ce": CE}, [0, 0], [1]), "fold 0 is given twice"),
        (lambda: controls_of(CRL.replace(loss=Component("crl", {"alpha": 0, "beta": 1})), ["lr"]), "alpha above 0"),
    ],
)
def test_mistakes(call, message):
    with pytest.raises(FinegrainedError, match=message):
        call()


def test_a_study_may_grow_and_not_change(tmp_path):
    study = Study({"ce": CE}, [0, 1], [0], threads=1)
    folder = StudyFolder(tmp_path / "study")
    folder.write(study)
    assert folder.read() == study
    grown = folder.write(Study({"ce": CE, "crl": CRL}, [0, 1, 2], [0, 1], threads=2))
    assert grown.threads == 1, "another number of threads would change the bits of what is still to run"
    assert len(grown.cells) == 12
    with pytest.raises(FinegrainedError, match=r"lr: 0\.03 there, 0\.1 asked; variant 'crl' is there, not asked"):
        folder.write(Study({"ce": CE.replace(lr=0.1), "crl2": CRL}, [0, 1, 2], [0, 1], threads=1))
    assert study_differences(study, study) == []


def test_a_folder_of_another_version(tmp_path):
    (tmp_path / "study.yaml").write_text("format: 99\nwritten_by: 7.0\n")
    with pytest.raises(FinegrainedError, match=r"format 99, written by finegrained-crl 7\.0; this version .* reads 2"):
        StudyFolder(tmp_path).read()


@pytest.mark.parametrize(
    "text", ["format: 1\n", "[1, 2]", "a: [", "format: 1\nvariants: 3\nfolds: []\nseeds: []\nthreads: 1\n", "\x00"]
)
def test_a_damaged_plan(tmp_path, text):
    (tmp_path / "study.yaml").write_text(text)
    with pytest.raises(FinegrainedError, match=r"study\.yaml"):
        StudyFolder(tmp_path).read()


def test_somebody_elses_folder(tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(FinegrainedError, match="is not empty and holds no study"):
        StudyFolder(tmp_path).check(Study({"ce": CE}, [0], [0], 1))


def test_cells_that_are_compared_stand_side_by_side():
    variants = {"ce": Recipe(data="x"), "crl": Recipe(data="x")}
    cells = make_cells(variants, [0, 3], [5, 7])
    assert [(c.seed, c.fold, c.variant) for c in cells] == [
        (seed, fold, variant) for seed in (5, 7) for fold in (0, 3) for variant in ("ce", "crl")
    ]
    assert [(c.recipe.seed, c.recipe.fold) for c in cells] == [(c.seed, c.fold) for c in cells]
    assert len({c.name for c in cells}) == 8
    assert cells[0].name == "ce_f0_s5"


@pytest.mark.parametrize("words", [["lr=1", "lr=2"], ["lr=1,1"], ["lr="], ["lr"]])
def test_a_grid_setting_is_given_once_with_values(words):
    with pytest.raises(FinegrainedError, match="--grid lr"):
        parse_grid(words)


def test_every_recipe_of_a_grid_is_completed():
    done = make_variants([Recipe(data="x", loss=Component("ce"))], {"lr": [1, 2]}, None, lambda r: r.replace(ema=0.5))
    assert [(recipe.lr, recipe.ema) for recipe in done.values()] == [(1, 0.5), (2, 0.5)]
