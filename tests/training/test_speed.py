"""`auto`: what is tried is what was asked for, what strays is refused, the model stays as it was."""

from dataclasses import replace

import pytest
import torch

from finegrained_crl.training import speed, timing
from finegrained_crl.training.criteria import build_criteria
from finegrained_crl.training.method import ModelSpec
from finegrained_crl.training.recipe import Component, Recipe
from finegrained_crl.training.speed import choose, combinations, fastest, thread_counts
from finegrained_crl.training.timing import Setting, Timing
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
    assert all(one.precision in ("fp32", "bf16") and layout in ("auto", one.memory_format) for one in found)


@pytest.fixture
def trainee():
    method = ResNet()
    model = method.build(ModelSpec("test_resnet", 3, "none", 0.0, 0.0, 32))
    return Trainee(method, model, build_criteria(Component("crl"), method.roles(model)))


AUTO = Recipe(precision="auto", memory_format="auto", image_size=32, batch_size=4)


@pytest.mark.parametrize("kernel", ["another direction", "no number"])
def test_a_precision_whose_gradients_stray_is_refused_however_fast(kernel, trainee, monkeypatch):
    def backward(model, setting, batch):
        real(model, setting, batch)
        if setting.precision == "bf16":
            for parameter in model.parameters():
                parameter.grad = (
                    torch.randn_like(parameter) if kernel == "another direction" else parameter.grad * torch.nan
                )

    real = timing.backward
    monkeypatch.setattr(timing, "backward", backward)
    monkeypatch.setattr(speed, "step_seconds", lambda _, setting, batch: 1.0 if setting.precision == "bf16" else 2.0)
    timings = choose(trainee, AUTO, CPU, 3)
    assert [(t.setting.precision, t.refused) for t in timings] == [("fp32", False)] * 2 + [("bf16", True)] * 2
    assert "refused: gradients' cosine" in str(timings[-1])
    assert "refused" not in str(timings[0])
    assert fastest(timings, 1000).setting.precision == "fp32"


def test_sound_gradients_are_compared_on_the_same_batch_and_dropout(trainee, monkeypatch):
    timings = choose(trainee, AUTO, CPU, 3)
    cosines = {t.setting.precision: t.cosine for t in timings}
    assert cosines["fp32"] == pytest.approx(1, abs=1e-9)
    assert 0.95 < cosines["bf16"] < 1 - 1e-9
    monkeypatch.setattr(speed, "gradients", lambda *_: pytest.fail("not asked for"))
    assert choose(trainee, AUTO.replace(precision="fp32"), CPU, 3)[0].cosine == 1.0


def test_dropout_falls_alike_on_all_that_are_compared():
    method = ResNet()
    model = method.build(ModelSpec("test_resnet", 3, "none", 0.5, 0.0, 32))
    trainee = Trainee(method, model, build_criteria(Component("crl"), method.roles(model)))
    batch = timing.random_batch(trainee, AUTO, CPU, 3)
    ones, others = (timing.gradients(trainee, Setting("fp32", "contiguous"), batch) for _ in range(2))
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
    def backward(model, setting, batch):
        weight = next(parameter for parameter in model.parameters() if parameter.dim() == 4)
        is_last = weight.is_contiguous(memory_format=torch.channels_last)
        seen.append((setting, "channels_last" if is_last and not weight.is_contiguous() else "contiguous"))
        real(model, setting, batch)

    seen, real = [], timing.backward
    monkeypatch.setattr(timing, "backward", backward)
    choose(trainee, AUTO, CPU, 3)
    assert {setting for setting, _ in seen} == set(combinations(AUTO, CPU))
    assert all(layout == setting.memory_format for setting, layout in seen)


def test_timing_changes_nothing_and_sorts_by_speed(trainee):
    before = {k: v.clone() for k, v in trainee.state_dict().items()}
    timings = choose(trainee, AUTO, CPU, 3)
    assert [t.seconds for t in timings] == sorted(t.seconds for t in timings)
    assert {t.setting for t in timings} == set(combinations(AUTO, CPU))
    assert all(torch.equal(v, before[k]) for k, v in trainee.state_dict().items())


PLAIN = Setting("fp32", "contiguous")
COMPILED = AUTO.replace(precision="fp32", memory_format="contiguous", compile="auto")


@pytest.fixture
def uncompiled(monkeypatch):
    """`compile_network` that only marks its model, so that no test waits a minute for a compiler."""
    monkeypatch.setattr(speed, "compile_network", lambda model, graphs: setattr(model, "is_marked", True))


def seconds_of(by_setting):
    """A clock that knows the settings' seconds."""
    return lambda model, setting, batch: by_setting[setting]


@pytest.mark.parametrize(("threads", "counts"), [(1, []), (2, [1]), (16, [8, 4, 2, 1]), (6, [3, 1])])
def test_fewer_threads_than_torch_takes_are_tried(threads, counts, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    assert [setting.threads for setting in thread_counts(PLAIN)] == counts


def test_the_fastest_thread_count_is_found_with_the_best_precision(trainee, monkeypatch):
    def seconds(model, setting, batch):
        return {"bf16": 1.0, "fp32": 2.0}[setting.precision] / (10 if setting.threads == 2 else 1)

    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    monkeypatch.setattr(speed, "step_seconds", seconds)
    timings = choose(trainee, AUTO.replace(memory_format="contiguous"), CPU, 3, threads="auto")
    assert [str(t.setting) for t in timings] == [
        "bf16, contiguous, 2 threads",
        "bf16, contiguous",
        "bf16, contiguous, 1 threads",
        "fp32, contiguous",
    ]


def test_a_step_has_the_threads_of_its_setting_and_the_next_one_its_own(trainee, monkeypatch):
    def backward(self, batch):
        seen.append(torch.get_num_threads())
        return real(self, batch)

    before, seen, real = torch.get_num_threads(), [], Trainee.forward
    monkeypatch.setattr(Trainee, "forward", backward)
    batch = timing.random_batch(trainee, AUTO, CPU, 3)
    timing.step_seconds(trainee, replace(PLAIN, threads=before + 1), batch)
    timing.step_seconds(trainee, PLAIN, batch)
    assert seen == [before + 1, before]
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(("steps", "compiled"), [(10, False), (49, False), (51, True), (1000, True)])
def test_compilation_is_taken_where_the_run_is_long_enough_to_repay_it(steps, compiled):
    timings = [Timing(PLAIN, 2.0), Timing(replace(PLAIN, compile=True), 1.0, compile_seconds=50.0)]
    assert fastest(timings, steps).setting.compile is compiled


def test_the_best_setting_is_compiled_and_its_gradients_are_looked_at(trainee, uncompiled, monkeypatch):
    monkeypatch.setattr(speed, "step_seconds", seconds_of({PLAIN: 2.0, replace(PLAIN, compile=True): 1.0}))
    best, plain = choose(trainee, COMPILED, CPU, 3)
    assert (best.setting, plain.setting) == (replace(PLAIN, compile=True), PLAIN)
    assert best.cosine == pytest.approx(1)
    assert best.compile_seconds > 0
    assert not hasattr(trainee.model, "is_marked")
    assert "compiled 1000 ms and 0 s to compile" in str(best)


def test_compiling_for_evaluation_is_in_the_time_to_compile(trainee, uncompiled, monkeypatch):
    def scores(self, images):
        modes.append((self.training, hasattr(self.model, "is_marked"), torch.is_inference_mode_enabled()))
        return real(self, images)

    modes, real = [], Trainee.scores
    monkeypatch.setattr(Trainee, "scores", scores)
    choose(trainee, COMPILED, CPU, 3)
    assert modes == [(False, True, True)]


def test_what_is_compiled_is_the_best_of_all_that_was_timed(trainee, uncompiled, monkeypatch):
    def seconds(model, setting, batch):
        return 1.0 if (setting.precision, setting.memory_format) == ("bf16", "channels_last") else 2.0

    monkeypatch.setattr(speed, "step_seconds", seconds)
    compiled = [t.setting for t in choose(trainee, AUTO.replace(compile="auto"), CPU, 3) if t.setting.compile]
    assert compiled == [Setting("bf16", "channels_last", compile=True)]


def test_compiled_code_whose_gradients_stray_is_refused(trainee, uncompiled, monkeypatch):
    def backward(model, setting, batch):
        real(model, setting, batch)
        if setting.compile:
            for parameter in model.parameters():
                parameter.grad = torch.randn_like(parameter)

    real = timing.backward
    monkeypatch.setattr(timing, "backward", backward)
    monkeypatch.setattr(speed, "step_seconds", seconds_of({PLAIN: 2.0, replace(PLAIN, compile=True): 1.0}))
    timings = choose(trainee, COMPILED, CPU, 3)
    assert [t.refused for t in timings] == [False, True]
    assert fastest(timings, 10**6).setting == PLAIN


def test_without_a_compiler_a_run_goes_on_uncompiled_and_says_why(trainee, monkeypatch):
    def broken(model, graphs):
        raise RuntimeError("no C++ compiler here\nmany more lines")

    monkeypatch.setattr(speed, "compile_network", broken)
    timings = choose(trainee, COMPILED, CPU, 3)
    assert fastest(timings, 10**6).setting == PLAIN
    assert str(timings[-1]) == "fp32, contiguous, compiled not possible here: RuntimeError: no C++ compiler here"


def test_a_network_with_dropout_is_compiled_with_the_chance_of_the_uncompiled_one(uncompiled, monkeypatch):
    import torch._inductor.config as inductor

    def compile_network(model, graphs):
        chances.append(inductor.fallback_random)

    monkeypatch.setattr(speed, "compile_network", compile_network)
    method, chances = ResNet(), []
    for drop_rate in (0.0, 0.5):
        model = method.build(ModelSpec("test_resnet", 3, "none", drop_rate, 0.0, 32))
        choose(Trainee(method, model, build_criteria(Component("crl"), method.roles(model))), COMPILED, CPU, 3)
    assert chances == [False, True]


@pytest.mark.slow
def test_a_network_that_is_really_compiled_has_the_gradients_of_fp32():
    method = ResNet()
    model = method.build(ModelSpec("test_resnet", 3, "none", 0.5, 0.0, 32))
    trainee = Trainee(method, model, build_criteria(Component("crl"), method.roles(model)))
    (compiled,) = [t for t in choose(trainee, COMPILED, CPU, 3) if t.setting.compile]
    assert not compiled.failure
    assert compiled.cosine > 0.9999
    assert compiled.compile_seconds > 10 * compiled.seconds
