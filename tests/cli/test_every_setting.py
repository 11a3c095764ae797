"""Each setting of a recipe, typed as a flag, changes what the run does; one that is ignored fails by its name.

A setting has its flags and a consequence: a function of the run's session that must give the first value without the
flags and the second one with them. Pictures, batches, optimiser groups and weights are looked at, not the recipe.
"""

import dataclasses
import shutil
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from finegrained_crl.cli import parsing, settings
from finegrained_crl.cli.main import main
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.training import loop as loop_module
from finegrained_crl.training.loop import Loop
from finegrained_crl.training.recipe import Recipe
from finegrained_crl.training.run_folder import RunFolder
from finegrained_crl.training.run_options import RunOptions
from finegrained_crl.training.session import Session
from finegrained_crl.training.stage_run import StageRun

BASE = "--backbone test_resnet --weights none --image-size 32 --batch-size 8 --epochs 4 --lr 0.01 --loss ce".split()  # noqa: SIM905


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A table of 3 classes x (8 train, 2 val, 4 test) pictures of two-coloured halves, with splits; one with folds."""
    root = tmp_path_factory.mktemp("settings")
    random, rows = np.random.default_rng(0), []
    for label in ("a", "b", "c"):
        for i in range(14):
            pixels = random.integers(0, 90, (40, 60, 3), dtype=np.uint8)
            pixels[:, :30] += 120
            name = f"{label}{i}.png"
            Image.fromarray(pixels).save(root / name)
            rows.append({"path": name, "label": label, "split": ["train"] * 8 + ["val"] * 2 + ["test"] * 4, "i": i})
            rows[-1]["split"] = rows[-1]["split"][i]
    table = pd.DataFrame(rows)
    table[["path", "label", "split"]].to_csv(root / "split.csv", index=False)
    table.assign(fold=table["i"] % 3)[["path", "label", "fold"]].to_csv(root / "folds.csv", index=False)
    few = table[(table["label"] != "a") | (table["i"] < 2) | (table["split"] != "train")]
    few[["path", "label", "split"]].to_csv(root / "few.csv", index=False)
    return root


@pytest.fixture
def session(pictures, tmp_path):
    """The session that `fgcrl finetune` makes of flags."""
    count = iter(range(9))

    def build(*words, data="split.csv"):
        flags = parsing.normalise([*BASE, "--dataset", "table", "--data", str(pictures / data), *map(str, words)])
        recipe = settings.to_recipe(settings.recipe_parser(flags, {}, lambda parser: None).parse(flags))
        return Session(recipe, RunFolder(tmp_path / f"run{next(count)}"), RunOptions(workers=0))

    return build


def stage(session):
    return StageRun(session, session.stages[0])


def train_pictures(session, epochs=range(4)):
    return np.stack([session.train_pictures[(epoch, row)][0].numpy() for epoch in epochs for row in range(4)])


def is_mirrored(pixels):
    """The left half is the bright one, so a mirrored picture is brighter on the right."""
    width = pixels.shape[-2]
    return pixels[..., width // 2 :, :].mean((-3, -2, -1)) > pixels[..., : width // 2, :].mean((-3, -2, -1))


def rates(session):
    """The learning rate before each update of the run."""
    run = stage(session)
    seen = []
    for update in range(session.stages[0].recipe.epochs * run.updates_per_epoch):
        run.schedule.step_update(update)
        seen.append(round(max(group["lr"] for group in run.optimizer.param_groups), 5))
    return seen


def group_facts(session, name):
    return sorted({round(group[name], 6) for group in stage(session).optimizer.param_groups})


def batches(session):
    return [[row for _, row in batch] for batch in session.order.at(0)]


def train_batch(session):
    run, order = stage(session), session.order
    order.at(0)
    torch.manual_seed(0)
    np.random.seed(0)
    return run.train_batch(next(run.groups())[0])


def is_compiled(session):
    return Loop(session).trainee.model._compiled_call_impl is not None


def is_refused_for_two_on_cpus(session):
    accelerator = session.accelerator
    session.accelerator = SimpleNamespace(num_processes=2, device=torch.device("cpu"), is_main_process=True)
    try:
        Loop(session)
    except FinegrainedError as error:
        return "--sync-batchnorm needs GPUs" in str(error)
    finally:
        session.accelerator = accelerator
    return False


def target_of(session):
    target = train_batch(session).target
    return "labels" if target.ndim == 1 else round(float(target.max(1).values.min()), 3)


def mixes(session):
    target = train_batch(session).target
    return target.ndim == 2 and bool(((target > 0.01).sum(1) == 2).any())


def block_or_blend(session):
    """How mixed pictures look: of each pixel either one or the other picture's, or both laid over each other."""
    plain = stage(session)
    session.order.at(0)
    raw = session.scorer.inputs(next(plain.groups())[0].images)
    mixed = train_batch(session).images
    return round(float((mixed == raw).float().mean()), 1)


def random_forward(session):
    """Whether two passes in training mode differ."""
    model = session.trainee.model.train()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eval()
    image = torch.rand(8, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    return not torch.equal(model(image).logits, model(image).logits)


def dropped_paths(session):
    return max((getattr(module, "drop_prob", 0.0) for module in session.trainee.model.modules()), default=0.0)


def eval_side(session):
    return tuple(session.eval_pictures[(0, 0)][0].shape[1:3])


def shown_share(session):
    """Share of the bright half in what evaluation shows."""
    pixels = session.eval_pictures[(0, 0)][0].numpy()[0]
    return round(float((pixels.mean((0, 2)) > 100).mean()), 2)


def first_weight(session):
    return round(float(next(session.trainee.model.parameters()).detach().flatten()[0]), 4)


def after_training(*names):
    """A consequence that shows only in a run: what the loop did."""

    def look(session):
        made = Loop(session)
        session.run.claim(session.recipe.as_dict(), resume=False)
        made.fit()
        return tuple(getattr(made.progress, name) for name in names)

    return look


def watched(session):
    return [row["test_top1"] is not None for row in after_training("history")(session)[0]]


def averages(session):
    made = Loop(session)
    return made.evaluated is not made.trainee


def clipped(session):
    """The largest norm that a gradient may have."""
    made, norms = Loop(session), []
    made.begin(session.stages[0])
    session.accelerator.clip_grad_norm_ = lambda parameters, largest: norms.append(largest)
    made.train_epoch()
    return sorted(set(norms))


def refused(build):
    try:
        build()
    except FinegrainedError as error:
        return str(error)
    return ""


def share_of_mirrored(session):
    return round(float(is_mirrored(train_pictures(session, range(100))).mean()), 1)


def sharp_edges(session):
    """Whether the brightness of halves is as in the file in all training pictures: nothing turned, hidden or tinted."""
    pixels = train_pictures(session)
    return [int(pixels.min() == 0 and (pixels == 0).all(-1).mean() > 0.01), int(pixels.max())]


NO_CHANCE = ["--hflip", "0", "--crop-scale", "1", "--resize", "squash", "--resize-ratio", "1"]


def spread(session):
    """How much the pictures of one row differ between epochs."""
    return bool((train_pictures(session, [0]) != train_pictures(session, [1])).any())


def whole(session):
    """Mean absolute difference between the epoch's training pictures and evaluation's own."""
    return round(
        float(
            np.abs(train_pictures(session, [0])[0].astype(float) - session.eval_pictures[(0, 0)][0].numpy()[0]).mean()
        )
    )


SAME = object()

# setting -> (flags that both runs have, flags of the setting, consequence, value without, value with)
TABLE = {
    "dataset": (
        [],
        ["--dataset.subject-column", "label", "--allow-leaks"],
        lambda s: bool(s.records.table["subject"].notna().all()),
        False,
        True,
    ),
    "split": ([], ["--split", "val"], lambda s: len(s.parts.test), 12, 6),
    "val_fraction": (
        [],
        ["--val-fraction", "0.25"],
        lambda s: (len(s.parts.train), len(s.parts.val)),
        (24, 6),
        (18, 6),
    ),
    "convert_images": (
        [],
        ["--convert-images"],
        lambda s: (s.train_pictures.convert, s.eval_pictures.convert),
        (False, False),
        (True, True),
    ),
    "method": (
        [],
        ["--method", "dfl", "--method.filters", "2", "--method.init", "random"],
        lambda s: type(s.trainee.method).__name__,
        "ResNet",
        "DFL",
    ),
    "backbone": (
        [],
        ["--backbone", "test_vit", "--image-size", "160"],
        lambda s: type(s.trainee.model.exported()).__name__,
        "ResNet",
        "VisionTransformer",
    ),
    "drop_rate": ([], ["--drop-rate", "0.5"], random_forward, False, True),
    "drop_path_rate": ([], ["--drop-path-rate", "0.9"], dropped_paths, 0.0, 0.9),
    "freeze": (
        [],
        ["--freeze", "backbone"],
        lambda s: sum(p.requires_grad for p in stage(s).session.trainee.model.parameters()) > 2,
        True,
        False,
    ),
    "loss": (
        [],
        ["--loss", "focal", "--loss.gamma", "3"],
        lambda s: repr(s.trainee.criteria["class"]),
        "CrossEntropyLoss()",
        "FocalLoss(gamma=3.0)",
    ),
    "label_smoothing": ([], ["--label-smoothing", "0.3"], target_of, "labels", 0.8),
    "mixup": ([], ["--mixup", "1"], mixes, False, True),
    "cutmix": (["--mixup", "0"], ["--cutmix", "1"], mixes, False, True),
    "image_size": ([], ["--image-size", "48"], eval_side, (32, 32), (48, 48)),
    "resize": (["--eval-resize-ratio", "1"], ["--resize", "squash"], shown_share, 0.5, 0.5),
    "resize_ratio": (
        ["--crop-scale", "1", "--hflip", "0", "--resize", "squash", "--eval-resize-ratio", "1"],
        ["--resize-ratio", "1"],
        lambda s: whole(s) == 0,
        False,
        True,
    ),
    "eval_resize_ratio": (
        ["--resize", "squash"],
        ["--eval-resize-ratio", "1"],
        lambda s: int(
            s.eval_pictures.transform.settings.side_before_crop(s.eval_pictures.transform.settings.eval_resize_ratio)
        ),
        37,
        32,
    ),
    "crop_scale": (
        ["--hflip", "0", "--resize", "squash", "--resize-ratio", "1"],
        ["--crop-scale", "1"],
        spread,
        True,
        False,
    ),
    "pictures_per_class": ([], ["--pictures-per-class", "2"], lambda s: len(s.records), 42, 18),
    "pad": (NO_CHANCE, ["--pad", "4"], spread, False, True),
    "hflip": (NO_CHANCE, ["--hflip", "0.2"], share_of_mirrored, 0.0, 0.2),
    "rotate": (NO_CHANCE, ["--rotate", "90"], spread, False, True),
    "rotate_border": ([*NO_CHANCE, "--rotate", "90"], ["--rotate-border", "black"], lambda s: sharp_edges(s)[0], 0, 1),
    "reduced_decoding": ([], ["--reduced-decoding"], lambda s: bool(s.train_transform.least_side), False, True),
    "color_jitter": (NO_CHANCE, ["--color-jitter", "0.5"], spread, False, True),
    "erase": (NO_CHANCE, ["--erase", "1"], lambda s: sharp_edges(s)[0], 0, 1),
    "views": ([], ["--views", "ten-crop"], lambda s: len(s.eval_pictures[(0, 0)][0]), 1, 10),
    "epochs": ([], ["--epochs", "2"], lambda s: s.stages[-1].end, 4, 2),
    "batch_size": ([], ["--batch-size", "4"], lambda s: {len(rows) for rows in batches(s)}, {8}, {4}),
    "drop_last": (
        ["--batch-size", "9"],
        ["--drop-last", "false"],
        lambda s: [len(rows) for rows in batches(s)],
        [9, 9],
        [9, 9, 6],
    ),
    "accumulate": ([], ["--accumulate", "2"], lambda s: [len(group) for group in stage(s).groups()], [1, 1, 1], [2, 1]),
    "optimizer": ([], ["--optimizer", "adamw"], lambda s: type(stage(s).optimizer.optimizer).__name__, "SGD", "AdamW"),
    "lr": ([], ["--lr", "0.5"], lambda s: group_facts(s, "lr"), [0.01], [0.5]),
    "head_lr": ([], ["--head-lr", "0.5"], lambda s: group_facts(s, "lr"), [0.01], [0.01, 0.5]),
    "momentum": ([], ["--momentum", "0.3"], lambda s: group_facts(s, "momentum"), [0.9], [0.3]),
    "weight_decay": ([], ["--weight-decay", "0.3"], lambda s: group_facts(s, "weight_decay"), [0.0, 1e-4], [0.0, 0.3]),
    "decay_all": ([], ["--decay-all"], lambda s: group_facts(s, "weight_decay"), [0.0, 1e-4], [1e-4]),
    "schedule": ([], ["--schedule", "constant"], lambda s: len(set(rates(s))), 12, 1),
    "decay_epochs": (
        ["--schedule", "multistep", "--decay-rate", "0.5", "--decay-epochs", "1"],
        ["--decay-epochs", "2", "3"],
        lambda s: [rates(s)[3 * e] for e in range(4)],
        [0.01, 0.005, 0.005, 0.005],
        [0.01, 0.01, 0.005, 0.0025],
    ),
    "decay_rate": (
        ["--schedule", "step", "--decay-epochs", "2"],
        ["--decay-rate", "0.5"],
        lambda s: rates(s)[-1],
        0.001,
        0.005,
    ),
    "warmup_epochs": (
        ["--schedule", "constant"],
        ["--warmup-epochs", "2"],
        lambda s: [rates(s)[3 * e] for e in range(3)],
        [0.01, 0.01, 0.01],
        [0.0, 0.005, 0.01],
    ),
    "min_lr": ([], ["--min-lr", "0.009"], lambda s: min(rates(s)) > 0.008, False, True),
    "clip_grad": ([], ["--clip-grad", "0.25"], clipped, [], [0.25]),
    "ema": ([], ["--ema", "0.5"], averages, False, True),
    "early_stopping": (
        ["--lr", "0", "--val-fraction", "0.25"],
        ["--early-stopping", "1"],
        after_training("epoch", "stopped"),
        (4, False),
        (2, True),
    ),
    "test_every": (["--epochs", "3"], ["--test-every", "2"], watched, [False] * 3, [False, True, False]),
    "seed": (
        [],
        ["--seed", "5"],
        lambda s: (first_weight(s), tuple(batches(s)[0]), int(train_pictures(s).sum())),
        SAME,
        None,
    ),
    "precision": ([], ["--precision", "bf16"], lambda s: s.accelerator.mixed_precision, "no", "bf16"),
    "compile": ([], ["--compile"], is_compiled, False, True),
    "sync_batchnorm": ([], ["--sync-batchnorm"], is_refused_for_two_on_cpus, False, True),
    "memory_format": (
        [],
        ["--memory-format", "contiguous"],
        lambda s: s.scorer.inputs(torch.zeros(2, 1, 8, 8, 3, dtype=torch.uint8)).is_contiguous(),
        False,
        True,
    ),
}
ELSEWHERE = {"data", "fold", "class_balanced", "missing", "allow_leaks", "weights"}
"""Settings of which a test of their own follows: they need other files."""


def test_every_setting_is_in_the_table():
    assert {field.name for field in dataclasses.fields(Recipe)} == set(TABLE) | ELSEWHERE


@pytest.mark.parametrize("name", TABLE)
def test_a_setting_has_its_consequence(name, session):
    common, flags, consequence, without, with_it = TABLE[name]
    before, after = consequence(session(*common)), consequence(session(*common, *flags))
    if without is SAME:
        assert consequence(session(*common)) == before
        assert all(one != other for one, other in zip(before, after, strict=True))
    else:
        assert (before, after) == (without, with_it)


def test_the_picture_is_squashed_or_cropped(session):
    """Of 60 x 40 pixels a crop shows the middle 40."""
    widths = [
        session("--eval-resize-ratio", "1", "--resize", how).eval_pictures[(0, 0)][0].numpy()[0].mean((0, 2)) > 100
        for how in ("crop", "squash")
    ]
    assert [int(w.sum()) for w in widths] == [16, 16]
    pixels = [
        session("--eval-resize-ratio", "1", "--resize", how).eval_pictures[(0, 0)][0].numpy()
        for how in ("crop", "squash")
    ]
    assert not np.array_equal(*pixels)


def test_mixup_blends_and_cutmix_pastes(session):
    assert block_or_blend(session("--mixup", "1")) < 0.2
    assert block_or_blend(session("--cutmix", "1")) > 0.2


def test_data_and_fold(session, pictures):
    assert len(session().records) == len(session("--fold", "0", data="folds.csv").records) == 42
    held_out = [set(session("--fold", fold, data="folds.csv").parts.test) for fold in range(3)]
    assert [len(rows) for rows in held_out] == [15, 15, 12]
    assert not held_out[0] & held_out[1]


def test_classes_are_drawn_equally_often_where_asked(session):
    def share_of_first(made):
        labels = made.records.table["label"].to_numpy()
        drawn = [row for epoch in range(20) for batch in made.order.at(epoch) for _, row in batch]
        return np.mean(labels[drawn] == 0)

    assert share_of_first(session("--batch-size", "6", data="few.csv")) == pytest.approx(2 / 18, abs=0.03)
    assert share_of_first(session("--batch-size", "6", "--class-balanced", data="few.csv")) == pytest.approx(
        1 / 3, abs=0.06
    )


@pytest.fixture
def copy(pictures, tmp_path):
    shutil.copytree(pictures, tmp_path / "copy")
    return tmp_path / "copy"


def test_missing_pictures(session, copy):
    (copy / "a0.png").unlink()
    assert "a0.png" in refused(lambda: session("--data", copy / "split.csv"))
    skipping = session("--data", copy / "split.csv", "--missing", "skip")
    assert len(skipping.records) == 41
    assert sum(skipping.records.dropped.values()) == 1


def test_leaks(session, copy):
    shutil.copy(copy / "a0.png", copy / "a13.png")  # training and test
    assert "the split leaks" in refused(lambda: session("--data", copy / "split.csv"))
    assert len(session("--data", copy / "split.csv", "--allow-leaks").leaks) == 1


def test_transparent_pictures(session, copy):
    Image.open(copy / "a0.png").convert("RGBA").save(copy / "a0.png")
    assert "alpha image" in refused(lambda: session("--data", copy / "split.csv"))
    made = session("--data", copy / "split.csv", "--convert-images")
    assert made.train_pictures[(0, 0)][0].shape == (32, 32, 3)


def test_weights_are_those_of_the_file(session, tmp_path):
    state = session("--seed", "9").trainee.model.exported().state_dict()
    save_file({name: value.contiguous() for name, value in state.items()}, tmp_path / "w.safetensors")
    loaded = session("--weights", tmp_path / "w.safetensors").trainee.model.exported().state_dict()
    name = next(iter(state))
    assert torch.equal(loaded[name], load_file(tmp_path / "w.safetensors")[name])
    assert not torch.equal(session().trainee.model.exported().state_dict()[name], loaded[name])


# How to run: each option of `RunOptions`.


@pytest.mark.parametrize(
    ("flags", "name", "value"),
    [
        (["--workers", "1"], "workers", 1),
        (["--device", "cpu"], "device", "cpu"),
        (["--checkpoint-seconds", "0.5"], "checkpoint_seconds", 0.5),
        (["--data-in", "files"], "data_in", "files"),
        (["--accept-changed-data"], "accept_changed_data", True),
        (["--cuda-graphs"], "cuda_graphs", True),
        (["--threads", "2"], "threads", 2),
        (["--threads", "auto"], "threads", "auto"),
    ],
)
def test_a_way_of_running_reaches_the_run(flags, name, value, pictures, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(loop_module, "Loop", lambda session, interruption: pytest.fail("not reached"))

    def begin(recipe, run, options, *, resume=False):
        seen.append(options)
        raise FinegrainedError("far enough")

    monkeypatch.setattr("finegrained_crl.training.session.Session", begin)
    data = ["--dataset", "table", "--data", str(pictures / "split.csv"), "--out", str(tmp_path / "run")]
    assert main(["finetune", *BASE, *data]) == main(["finetune", *BASE, *data, *flags]) == 1
    assert getattr(seen[0], name) == getattr(RunOptions(), name) != value
    assert getattr(seen[1], name) == value
    others = {field.name for field in dataclasses.fields(RunOptions)} - {name}
    assert all(getattr(seen[1], other) == getattr(RunOptions(), other) for other in others)


def test_options_do_what_they_say(session, monkeypatch):
    made = session()
    made.options = RunOptions(workers=1, checkpoint_seconds=0.0)
    assert made.train_loader.num_workers == 1
    saves = []
    looped = Loop(made)
    monkeypatch.setattr(looped, "save", lambda: saves.append(looped.progress.update))
    looped.begin(made.stages[0])
    looped.train_epoch()
    assert saves == [1, 2, 3]
    looped.session.options = RunOptions(workers=1, checkpoint_seconds=1000.0)
    looped.progress.update, saves[:] = 0, []
    looped.train_epoch()
    assert saves == []
