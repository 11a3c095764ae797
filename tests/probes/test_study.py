"""A probe study: its cells equal heads trained alone, and every reader of studies reads them."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from finegrained_crl.cli.main import main
from finegrained_crl.crossval.collect import collect
from finegrained_crl.crossval.study import StudyFolder
from finegrained_crl.data.fingerprint import fingerprint
from finegrained_crl.data.loading import EpochOrder
from finegrained_crl.losses.catalogue import build_criterion
from finegrained_crl.probes.features import open_features
from finegrained_crl.training.assembly import make_parts, read_records
from finegrained_crl_datasets.demo_faces import make_demo_faces

SETTINGS = (
    "--recipe probe --dataset adience --backbone test_resnet --weights none --image-size 32 --resize crop --epochs 3"
    " --batch-size 8 --val-fraction 0.25 --threads 1 --workers 0 --cached-views 2 --device cpu"
)
GRID = "--losses ce crl --grid lr=0.01,0.05 weight_decay=0,0.01 --select val lr --folds 0 1 --seeds 0 1"


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    folder = tmp_path_factory.mktemp("faces") / "adience"
    make_demo_faces(folder, subjects_per_group=10, photos_per_subject=1, size=32)
    return folder


@pytest.fixture(scope="module")
def study(faces, tmp_path_factory):
    folder = tmp_path_factory.mktemp("probe") / "study"
    torch.set_num_threads(2)
    assert probe(faces, folder) == 0
    assert torch.get_num_threads() == 1  # as --threads says
    return folder


def probe(faces, folder, *more):
    return main(["probe", *SETTINGS.split(), *GRID.split(), "--data", str(faces), "--out", str(folder), *more])


@pytest.fixture(scope="module")
def collected(study):
    return collect(study)


def test_every_cell_is_there_and_whole(study, collected):
    assert len(collected.done) == 2 * 2 * 2 * 2 * 2
    assert main(["verify", str(study)]) == 0
    results = next(iter(collected.results.values()))
    assert results["method"] == {"name": "probe", "hidden": 0, "views": 2, "label_noise": 0.0, "imbalance": 1.0}
    assert results["data"]["train"] > results["data"]["val"] > 0


@pytest.mark.parametrize("index", [0, 5, 17, 31])
def test_a_cell_is_the_head_trained_alone(index, study, collected):
    cell = collected.done[index]
    recipe = cell.recipe.replace(method=cell.recipe.method)
    records = read_records(recipe)
    parts = make_parts(recipe, records, fingerprint(records))
    features = open_features(study / "features" / "features.npy").astype(np.float32)
    shift, scale = features[0, parts.train].mean(0), features[0, parts.train].std(0)
    table = (features - shift) / np.where(scale > 1e-6, scale, 1)
    labels = records.table["label"].to_numpy()
    order = EpochOrder(parts.train, recipe.batch_size, cell.seed)
    torch.manual_seed(cell.seed)
    head = nn.Linear(features.shape[2], records.num_classes)
    groups = [{"params": [head.weight], "weight_decay": recipe.weight_decay}, {"params": [head.bias]}]
    optimizer = torch.optim.SGD(groups, lr=recipe.lr, momentum=0.9, nesterov=True, weight_decay=0)
    criterion = build_criterion(recipe.loss.name, recipe.loss.options, num_classes=records.num_classes, feature_dim=1)
    update, total, warmup = 0, 3 * len(order), len(order)
    for epoch in range(3):
        for keys in order.at(epoch):
            rows = [row for _, row in keys]
            done = (update - warmup) / (total - warmup)
            factor = (update + 1) / warmup if update < warmup else 0.5 * (1 + np.cos(np.pi * done))
            for group in optimizer.param_groups:
                group["lr"] = recipe.lr * factor
            optimizer.zero_grad()
            criterion(head(torch.tensor(table[1 + epoch % 2, rows])), torch.tensor(labels[rows])).backward()
            optimizer.step()
            update += 1
    frame = collected.predictions[cell.name]
    for part, rows in (("test", parts.test), ("val", parts.val)):
        stored = np.stack(frame[frame["part"] == part]["logits"].to_list())
        with torch.no_grad():
            expected = head(torch.tensor(table[0, rows])).numpy()
        assert np.abs(stored - expected).max() < 1e-4 * max(1, np.abs(expected).max()), part


@pytest.mark.usefixtures("no_charts")
def test_the_report_reads_it(study, capsys):
    assert main(["report", str(study), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    names = {row["variant"] for row in answer["variants"]}
    assert names == {f"{loss} weight_decay={decay}" for loss in ("ce", "crl") for decay in ("0", "0.01")}
    assert "Settings chosen on validation" in (study / "report.md").read_text()


def test_continued_after_a_kill_it_ends_in_the_same_bytes(study, faces, tmp_path, monkeypatch):
    from finegrained_crl.probes import study as module

    class Killed(RuntimeError):  # noqa: N818
        pass

    folder, written = tmp_path / "again", []
    write = module.CellWriter.write

    def dies(self, cell, run, logits):
        if len(written) == 11:
            raise Killed
        written.append(cell.name)
        write(self, cell, run, logits)

    monkeypatch.setattr(module.CellWriter, "write", dies)
    with pytest.raises(Killed):
        probe(faces, folder)
    monkeypatch.setattr(module.CellWriter, "write", write)
    assert 0 < len(list(folder.glob("cells/*/COMMITTED"))) < 32
    assert probe(faces, folder) == 0
    for cell in StudyFolder(study).read().cells:
        for file in ("predictions.parquet", "results.json", "recipe.yaml"):
            same = [(place / "cells" / cell.name / file).read_bytes() for place in (study, folder)]
            assert same[0] == same[1], (cell.name, file)


FEW = "--losses ce --grid lr=0.05,0.01 weight_decay=0,0.01 --folds 0 --seeds 0".split()  # noqa: SIM905


def test_blocks_change_rounding_alone(collected, faces, tmp_path, monkeypatch):
    from finegrained_crl.probes import study as module

    monkeypatch.setattr(module, "BLOCK_BYTES", 1)  # one head at a time
    assert probe(faces, tmp_path / "small", *FEW) == 0
    cells = StudyFolder(tmp_path / "small").read().cells
    assert len(cells) == 4
    for cell in cells:
        other = pd.read_parquet(tmp_path / "small" / "cells" / cell.name / "predictions.parquet")
        one, two = (np.stack(table["logits"].to_list()) for table in (collected.predictions[cell.name], other))
        assert np.abs(one - two).max() < 1e-4 * max(1, np.abs(one).max())


def test_noise_imbalance_and_a_hidden_layer_change_the_cells(collected, faces, tmp_path):
    plain = collected.results["ce_lr=0.05_weight_decay=0_f0_s0"]
    for flags in (["--label-noise", "0.4"], ["--imbalance", "4"], ["--hidden", "5"]):
        folder = tmp_path / flags[0].strip("-")
        assert probe(faces, folder, *FEW, *flags) == 0
        results = collect(folder).results["ce_lr=0.05_weight_decay=0_f0_s0"]
        # More than the rounding of another number of heads.
        assert abs(results["metrics"]["last"]["test"]["nll"] - plain["metrics"]["last"]["test"]["nll"]) > 1e-3
        assert (results["data"]["train"] < plain["data"]["train"]) == (flags[0] == "--imbalance")
        changed = {flags[0].removeprefix("--").replace("-", "_"): float(flags[1])}
        told = {"label_noise": 0.0, "imbalance": 1.0} | (changed if flags[0] != "--hidden" else {})
        assert told.items() <= results["protocol"].items()


def test_other_features_are_not_mixed_in(faces, study, capsys):
    (study / "features" / "features.json").write_text(
        (study / "features" / "features.json").read_text().replace('"views": 2', '"views": 3')
    )
    try:
        assert probe(faces, study) == 1
        assert "holds other features (views: 3 there, 2 asked)" in capsys.readouterr().err
    finally:
        facts = (study / "features" / "features.json").read_text()
        (study / "features" / "features.json").write_text(facts.replace('"views": 3', '"views": 2'))


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--losses", "center"], "needs features: a probe trains losses on logits alone"),
        (["--mixup", "0.2"], "--mixup 0.2: heads on cached features have none"),
        (["--schedule", "step", "--decay-epochs", "2"], "a probe knows cosine and constant"),
        (["--optimizer", "lamb"], "a probe knows sgd, momentum, adamw"),
        (["--hidden", "-1"], "--hidden -1: must be from 0"),
        (["--label-noise", "1"], "--label-noise 1.0: must be from 0 to below 1"),
        (["--imbalance", "0.5"], "--imbalance 0.5: must be from 1 on"),
        (["--select", "test"], "--select test: settings are chosen on val alone"),
        (["--select", "val", "epochs"], "--select val epochs: not in the grid"),
        (["--val-fraction", "0"], "needs a validation part"),
    ],
)
def test_mistakes_are_one_line_before_anything_is_computed(flags, message, faces, tmp_path, capsys):
    assert probe(faces, tmp_path / "x", *flags) == 1
    error = capsys.readouterr().err
    assert message in error
    assert not (tmp_path / "x" / "features" / "features.npy").exists()
