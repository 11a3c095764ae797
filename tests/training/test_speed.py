"""`auto`: the combinations are the asked ones, the model stays as it was."""

import pytest
import torch

from finegrained_crl.training import speed
from finegrained_crl.training.criteria import build_criteria
from finegrained_crl.training.method import ModelSpec
from finegrained_crl.training.recipe import Component, Recipe
from finegrained_crl.training.speed import choose, combinations
from finegrained_crl.training.trainee import Trainee
from finegrained_crl_plugins.resnet.method import ResNet

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("precision", "layout", "count"),
    [("auto", "auto", 4), ("fp32", "auto", 2), ("auto", "contiguous", 2), ("bf16", "channels_last", 1)],
)
def test_auto_opens_only_what_was_left_open(precision, layout, count):
    found = combinations(Recipe(precision=precision, memory_format=layout), CPU)
    assert len(found) == count
    assert all(p in ("fp32", "bf16") and (layout in ("auto", f)) for p, f in found)


@pytest.fixture
def trainee():
    method = ResNet()
    model = method.build(ModelSpec("test_resnet", 3, "none", 0.0, 0.0, 32))
    return Trainee(method, model, build_criteria(Component("crl"), method.roles(model)))


AUTO = Recipe(precision="auto", memory_format="auto", image_size=32, batch_size=4)


@pytest.mark.parametrize("kernel", ["another direction", "no number"])
def test_a_precision_whose_gradients_stray_is_refused_however_fast(kernel, trainee, monkeypatch):
    def backward(model, combo, batch):
        real(model, combo, batch)
        if combo[0] == "bf16":
            for parameter in model.parameters():
                parameter.grad = (
                    torch.randn_like(parameter) if kernel == "another direction" else parameter.grad * torch.nan
                )

    real = speed._backward
    monkeypatch.setattr(speed, "_backward", backward)
    monkeypatch.setattr(speed, "_step_seconds", lambda model, combo, batch: 1.0 if combo[0] == "bf16" else 2.0)
    timings = choose(trainee, AUTO, CPU, 3)
    assert [(t.precision, t.refused) for t in timings] == [("fp32", False)] * 2 + [("bf16", True)] * 2
    assert "refused: gradients' cosine" in str(timings[-1])
    assert "refused" not in str(timings[0])


def test_sound_gradients_are_compared_on_the_same_batch_and_dropout(trainee, monkeypatch):
    timings = choose(trainee, AUTO, CPU, 3)
    cosines = {t.precision: t.cosine for t in timings}
    assert cosines["fp32"] == pytest.approx(1, abs=1e-9)
    assert 0.95 < cosines["bf16"] < 1 - 1e-9
    monkeypatch.setattr(speed, "_gradients", lambda *_: pytest.fail("not asked for"))
    assert choose(trainee, AUTO.replace(precision="fp32"), CPU, 3)[0].cosine == 1.0


def test_dropout_falls_alike_on_all_that_are_compared():
    method = ResNet()
    model = method.build(ModelSpec("test_resnet", 3, "none", 0.5, 0.0, 32))
    trainee = Trainee(method, model, build_criteria(Component("crl"), method.roles(model)))
    batch = speed.random_batch(trainee, AUTO, CPU, 3)
    ones, others = (speed._gradients(trainee, ("fp32", "contiguous"), batch) for _ in range(2))
    assert all(torch.equal(one, other) for one, other in zip(ones, others, strict=True))


@pytest.mark.parametrize(
    ("other", "cosine"),
    [([1.0, 2.0, 2.0], 1), ([-1.0, -2.0, -2.0], -1), ([0.0, 1.0, -1.0], 0), ([2.0, 1.0, 2.0], 8 / 9)],
)
def test_a_cosine_is_that_of_all_weights_together(other, cosine):
    parts = [[torch.tensor(row[:1]), torch.tensor([row[1:]])] for row in ([1.0, 2.0, 2.0], other)]
    assert speed._cosine(*parts) == pytest.approx(cosine)
    assert speed._cosine(parts[0], [torch.zeros_like(part) for part in parts[0]]) == 0


def test_each_step_runs_in_its_own_layout(trainee, monkeypatch):
    def backward(model, combo, batch):
        weight = next(parameter for parameter in model.parameters() if parameter.dim() == 4)
        is_last = weight.is_contiguous(memory_format=torch.channels_last)
        seen.append((combo, "channels_last" if is_last and not weight.is_contiguous() else "contiguous"))
        real(model, combo, batch)

    seen, real = [], speed._backward
    monkeypatch.setattr(speed, "_backward", backward)
    choose(trainee, AUTO, CPU, 3)
    assert {combo for combo, _ in seen} == set(combinations(AUTO, CPU))
    assert all(layout == combo[1] for combo, layout in seen)


def test_timing_changes_nothing_and_sorts_by_speed(trainee):
    before = {k: v.clone() for k, v in trainee.state_dict().items()}
    timings = choose(trainee, Recipe(precision="auto", memory_format="auto", image_size=32, batch_size=4), CPU, 3)
    assert [t.seconds for t in timings] == sorted(t.seconds for t in timings)
    assert {(t.precision, t.memory_format) for t in timings} == set(
        combinations(Recipe(precision="auto", memory_format="auto"), CPU)
    )
    assert all(torch.equal(v, before[k]) for k, v in trainee.state_dict().items())
