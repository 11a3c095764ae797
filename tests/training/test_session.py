"""A run put together: which pictures, in which order, shown how."""

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from finegrained_crl.data.transforms import EvalTransform, TrainTransform
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.training import committed
from finegrained_crl.training import session as module
from finegrained_crl.training.run_options import RunOptions
from finegrained_crl.training.timing import Setting, Timing


def rows(session, epoch=0):
    return [row for batch in session.order.at(epoch) for _, row in batch]


def test_training_never_sees_a_held_out_picture(make_session):
    made = make_session()
    assert sorted(rows(made)) == made.parts.train.tolist()
    assert set(made.records.table["split"].iloc[rows(made)]) == {"train"}


def test_the_seed_orders_and_augments(make_session):
    one, same, other = (make_session("--seed", seed, "--hflip", "0.5", out=f"r{i}") for i, seed in enumerate((3, 3, 4)))
    assert rows(one) == rows(same) != rows(other)
    assert isinstance(one.train_pictures.transform, TrainTransform)
    assert one.train_pictures.transform.seed == 3
    assert isinstance(one.eval_pictures.transform, EvalTransform)


def test_balanced_drawing_and_the_last_batch(make_session):
    made = make_session("--class-balanced", "--batch-size", "4", "--drop-last", "false")
    assert made.order.weights is not None
    assert sum(len(batch) for batch in made.order.at(0)) == 14
    assert make_session("--batch-size", "4", out="r2").order.weights is None
    assert sum(len(batch) for batch in make_session("--batch-size", "4", out="r3").order.at(0)) == 12


def test_what_the_method_does_to_each_picture(make_session, knowing, monkeypatch):
    made_of = lambda pixels, random: (255 - pixels, {"law": np.array([1])})  # noqa: E731
    monkeypatch.setattr(knowing.Knowing, "per_image", lambda self: made_of)
    made = make_session()
    plain = made.eval_pictures[(0, 0)][0].numpy()[0]
    pixels, _, _, extras = made.train_pictures[(0, 0)]
    assert np.array_equal(pixels.numpy(), 255 - plain)
    assert extras["law"].tolist() == [1]


def test_files_are_looked_at_before_anything_is_built(make_session, known, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "make_trainee", lambda *_: pytest.fail("a model was built"))
    broken = known.csv.parent / "test" / "0.png"
    content = broken.read_bytes()
    broken.write_bytes(content[:50])
    try:
        with pytest.raises(FinegrainedError, match=r"test/0\.png"):
            make_session()
    finally:
        broken.write_bytes(content)
    assert Image.open(broken).size == (42, 42)


def test_the_fastest_choice_is_taken_and_kept_on_resume(make_session, monkeypatch):
    fast, slow = Timing(Setting("bf16", "contiguous"), 0.1), Timing(Setting("fp32", "channels_last"), 0.2)
    monkeypatch.setattr(module, "choose", lambda *_, threads: [fast, slow])
    made = make_session("--precision", "auto", "--memory-format", "auto")
    assert (made.recipe.precision, made.recipe.memory_format) == ("bf16", "contiguous")
    made.run.recipe.write_text(committed.sealed(yaml.safe_dump(made.recipe.as_dict())))
    monkeypatch.setattr(module, "choose", lambda *_, threads: pytest.fail("timed again"))
    monkeypatch.setattr(module, "recall", lambda *_: [slow])  # what another run has timed since
    again = make_session("--precision", "auto", "--memory-format", "auto", resume=True)
    assert again.recipe.precision == "bf16"


@pytest.fixture
def threads():
    """Torch's thread count, put back afterwards."""
    before = torch.get_num_threads()
    yield before
    torch.set_num_threads(before)


def test_the_best_thread_count_is_set_and_told(make_session, threads, monkeypatch):
    fast, slow = Timing(Setting("fp32", "contiguous", 3), 0.1), Timing(Setting("fp32", "contiguous"), 0.2)
    monkeypatch.setattr(module, "choose", lambda *_, threads: [fast, slow] if threads == "auto" else [])
    made = make_session("--memory-format", "contiguous", options=RunOptions(threads="auto"))
    assert torch.get_num_threads() == 3
    assert str(made.setting) == "fp32, contiguous, 3 threads"


def test_a_thread_count_that_is_asked_for_is_set(make_session, threads):
    torch.set_num_threads(2)
    assert str(make_session(options=RunOptions(workers=0, threads=1)).setting).endswith("1 threads")
    assert torch.get_num_threads() == 1


def test_compilation_is_weighed_against_the_steps_of_this_run(make_session, monkeypatch):
    plain, compiled = Timing(Setting("fp32", "contiguous"), 2.0), Setting("fp32", "contiguous", compile=True)
    batches = 2 * (len(make_session().parts.train) // 8)
    for seconds, is_compiled in ((batches - 0.5, True), (batches + 0.5, False)):
        timings = [plain, Timing(compiled, 1.0, compile_seconds=seconds)]
        monkeypatch.setattr(module, "choose", lambda *_, threads, timings=timings: timings)
        monkeypatch.setattr(module, "recall", lambda *_: [])
        made = make_session("--compile", "auto", "--epochs", "2", "--batch-size", "8", out=str(seconds))
        assert made.recipe.compile is is_compiled


def test_a_run_goes_on_compiled_as_it_began(make_session, monkeypatch):
    monkeypatch.setattr(
        module, "choose", lambda *_, threads: [Timing(Setting("fp32", "channels_last", compile=True), 1)]
    )
    monkeypatch.setattr(module, "recall", lambda *_: [])
    made = make_session("--compile", "auto")
    made.run.recipe.write_text(committed.sealed(yaml.safe_dump(made.recipe.as_dict())))
    monkeypatch.setattr(module, "choose", lambda *_, threads: pytest.fail("timed again"))
    assert make_session("--compile", "auto", resume=True).recipe.compile is True


def test_classes_with_an_order_are_decoded(make_session):
    words = ["--method.decoder", "median"]
    assert make_session(*words).scorer.decoder == "argmax"
    assert make_session(*words, "--dataset.ordered", out="r2").scorer.decoder == "median"
