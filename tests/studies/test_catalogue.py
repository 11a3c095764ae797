"""Studies by name: ours and other distributions'; every shipped one is whole at every scale."""

from importlib.metadata import EntryPoint
from types import SimpleNamespace

import pytest

from finegrained_crl import discovery
from finegrained_crl.cli.crossval import _parser
from finegrained_crl.cli.settings import to_recipe
from finegrained_crl.cli.study_words import with_study
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.studies import find_study, study_files
from finegrained_crl.training.ranges import check_recipe

PLANS = [
    (name, part, scale)
    for name in study_files()
    for part in find_study(name).parts
    for scale in ("paper", "gpu-hour", "cpu-smoke")
]


@pytest.mark.parametrize(("name", "part", "scale"), PLANS)
def test_every_shipped_part_is_a_whole_recipe_at_every_scale(name, part, scale):
    words = with_study(["--study", name, "--part", part, "--scale", scale, "--data", "somewhere"])
    parsed = _parser(words).parse(words)
    recipe = to_recipe(parsed)
    check_recipe(recipe)
    assert recipe.data == "somewhere"
    assert {"ce", "crl"} <= set(parsed.losses)
    assert (recipe.pictures_per_class > 0) == (scale == "cpu-smoke")


@pytest.mark.parametrize("name", study_files())
def test_published_rows_are_of_its_parts_and_losses(name):
    study = find_study(name)
    assert study.title.startswith(("Table ", "Figure "))
    for row in study.published:
        assert set(row) == {"part", "variant", "metric", "value", "where"}
        plan = study.plan(row["part"], "paper")
        assert row["variant"].split(" ")[0] in plan["losses"]
        assert row["metric"] in ("error", "accuracy")


def test_the_printed_schedules():
    table = find_study("crl-2019/table-3")
    cifar, svhn = table.plan("cifar10", "paper"), table.plan("svhn", "paper")
    schedule = [
        cifar[key] for key in ("epochs", "batch_size", "lr", "weight_decay", "decay_epochs", "optimizer", "pad")
    ]
    assert schedule == [300, 256, 0.1, 1e-4, [150, 225], "sgd", 4]
    assert [svhn[key] for key in ("epochs", "batch_size", "decay_epochs", "pad", "hflip")] == [40, 64, [20, 30], 0, 0.0]
    words = with_study(["--study", "crl-2019/table-7", "--part", "resnet34"])
    adience = to_recipe(_parser(words).parse(words))
    assert (adience.epochs, adience.lr, adience.decay_epochs) == (120, 0.01, [80])


@pytest.fixture
def others(tmp_path, monkeypatch):
    """A folder of studies that another distribution offers under a name."""
    (tmp_path / "mine.yaml").write_text("title: mine\nparts: {a: {}}\nscales: {paper: {}}\n")

    def offer(name, place):
        point = SimpleNamespace(name=name, load=lambda: place, dist=None, spec=EntryPoint)
        monkeypatch.setattr(discovery, "entry_points", lambda *, group: [point] if group.endswith("studies") else [])

    return offer


def test_studies_of_another_distribution(others, tmp_path):
    others("lab", str(tmp_path))
    assert find_study("lab/mine").title == "mine"
    others("lab", SimpleNamespace(__path__=[str(tmp_path)]))
    assert study_files()["lab/mine"] == tmp_path / "mine.yaml"
    others("crl-2019", str(tmp_path))
    with pytest.raises(FinegrainedError, match=r"two packages offer 'crl-2019' in finegrained_crl\.studies"):
        study_files()
    others("lab", str(tmp_path / "gone"))
    with pytest.raises(FinegrainedError, match=r"'lab' in finegrained_crl\.studies names no folder of studies: .*gone"):
        study_files()


def test_an_unknown_name_says_the_nearest():
    with pytest.raises(FinegrainedError, match=r"--study crl-2019/table-33: no such study; did you mean 'crl-2019/"):
        find_study("crl-2019/table-33")
