"""Exported models say what their runs say, in other programs' readers; and what is refused leaves nothing."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import timm
import torch
from PIL import Image
from timm.data import create_transform, resolve_model_data_config

from finegrained_crl.cli.main import main
from finegrained_crl.data.reading import Item
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.export import exporting, formats
from finegrained_crl.export.formats import write_onnx
from finegrained_crl.export.network import preprocessing
from finegrained_crl.export.pictures import held_out_pictures, read_sample, training_pictures
from finegrained_crl.export.timm_folder import _pretrained_cfg
from finegrained_crl.training.predictor import Predictor

MORE = {
    "resnet": "",
    "bcnn": "--method.reduce 4 --method.stage1-epochs 1",
    "dfl": "--method.filters 2 --image-size 64",
    "dcl": "--image-size 64",
    "adience": "",
}


@pytest.fixture(scope="module")
def runs(tiny_flags, tmp_path_factory):
    """Trains a run of a method once; its folder."""
    root, folders = tmp_path_factory.mktemp("export"), {}

    def of(method, *words):
        name = "-".join([method, *words]).replace("/", "_")
        if name not in folders:
            flags = [*tiny_flags, "--epochs", "1", "--method", method, *MORE[method].split(), *words]
            assert main(["finetune", *flags, "--out", str(root / name)]) == 0
            folders[name] = root / name
        return folders[name]

    return of


@pytest.fixture
def export(tmp_path, capsys):
    """Runs `fgcrl export --json`; (folder, what was compared)."""

    def start(run, *words, out="out"):
        capsys.readouterr()
        code = main(["export", str(run), "--out", str(tmp_path / out), "--json", *map(str, words)])
        said = capsys.readouterr()
        assert code == 0, said.err
        assert said.err == ""
        return tmp_path / out, json.loads(said.out)["checks"]

    return start


def own_scores(run):
    predictor = Predictor(run, device="cpu")
    sample = held_out_pictures(predictor, 100)
    pixels = torch.from_numpy(sample.pixels).permute(0, 2, 3, 1)[:, None].byte()
    return sample.pixels, predictor.scores(pixels.numpy()), sample.labels


@pytest.fixture(scope="module")
def exported(runs, tmp_path_factory):
    """A plain run as ONNX; exporting takes seconds."""
    folder = tmp_path_factory.mktemp("onnx") / "out"
    assert main(["export", str(runs("resnet")), "--out", str(folder)]) == 0
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("method", MORE)
def test_every_method_is_the_same_in_onnxruntime(runs, export, method):
    folder, checks = export(runs(method))
    pixels, expected, labels = own_scores(runs(method))
    session = onnxruntime.InferenceSession(folder / "model.onnx")
    scores = np.concatenate([session.run(None, {"pixels": part})[0] for part in (pixels[:1], pixels[1:6], pixels[6:])])
    assert len(labels) == 12
    assert np.abs(scores - expected).max() < 1e-4
    assert checks["float32"]["largest_difference"] < 1e-4
    assert checks["float32"]["top1_agreement"] == 1
    assert checks["float32"]["run_accuracy"] == checks["float32"]["exported_accuracy"]
    assert checks["float32"]["run_accuracy"] == (expected.argmax(1) == labels).mean()


def test_onnxruntime_says_what_the_run_says_for_any_batch(runs, exported):
    pixels, expected, _ = own_scores(runs("resnet"))
    session = onnxruntime.InferenceSession(exported / "model.onnx")
    scores = np.concatenate([session.run(None, {"pixels": part})[0] for part in (pixels[:1], pixels[1:6], pixels[6:])])
    assert np.abs(scores - expected).max() < 1e-4


@pytest.mark.slow
def test_another_opset_is_written_and_one_that_is_too_old_refused(runs, export, tmp_path, capsys):
    folder, _ = export(runs("resnet"), "--opset", 19)
    assert onnx.load(folder / "model.onnx").opset_import[0].version == 19
    assert main(["export", str(runs("resnet")), "--out", str(tmp_path / "old"), "--opset", "3"]) == 1
    said = capsys.readouterr().err
    assert "--opset 3" in said
    assert said.count("\n") == 1
    assert not (tmp_path / "old").exists()


def test_what_a_program_must_know_is_inside_and_beside(exported):
    folder = exported
    model = onnx.load(folder / "model.onnx")
    beside = json.loads((folder / "preprocessing.json").read_text())
    assert {entry.key: json.loads(entry.value) for entry in model.metadata_props} == beside
    assert beside["class_names"] == ["left", "middle", "right"]
    assert model.opset_import[0].version == 18
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md",
        "model.onnx",
        "model_card.md",
        "preprocessing.json",
    ]
    assert "12 pictures: largest difference" in (folder / "README.md").read_text()


def test_preprocessing_is_enough_to_say_what_the_run_says(runs, exported, tiny_folder):
    import cv2

    folder = exported
    facts, (pixels, expected, _) = json.loads((folder / "preprocessing.json").read_text()), own_scores(runs("resnet"))
    image = np.asarray(Image.open(tiny_folder / "test" / "left" / "0.png").convert("RGB"))
    to, crop = facts["resize"]["to"], facts["crop"]["size"]
    image = cv2.resize(image, (to, to), interpolation=cv2.INTER_AREA)
    start = (to - crop) // 2
    mine = image[start : start + crop, start : start + crop].transpose(2, 0, 1).astype(np.float32)
    assert (mine == pixels[0]).all()
    (scores,) = onnxruntime.InferenceSession(folder / "model.onnx").run(None, {"pixels": mine[None]})
    assert np.allclose(scores, expected[:1], atol=1e-4)


@pytest.mark.parametrize(
    ("kind", "reader"),
    [("torchscript", torch.jit.load), pytest.param("torch-export", None, marks=pytest.mark.slow)],
)
def test_torchs_own_formats(runs, export, kind, reader):
    folder, checks = export(runs("dfl"), "--format", kind)
    pixels, expected, _ = own_scores(runs("dfl"))
    path = folder / formats.FILES[kind]
    model = reader(path) if reader else torch.export.load(path).module()
    with torch.no_grad():
        assert np.allclose(model(torch.from_numpy(pixels[:5])), expected[:5], atol=1e-4)
    assert checks["float32"]["largest_difference"] < 1e-4


def test_timm_loads_its_format_offline(runs, export, monkeypatch):
    folder, checks = export(runs("resnet"), "--format", "timm")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    net = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    own = Predictor(runs("resnet"), device="cpu").trainee.model.exported().state_dict()
    assert all((value == own[name]).all() for name, value in net.state_dict().items())
    config = resolve_model_data_config(net)
    assert (config["input_size"], config["crop_mode"], config["interpolation"]) == ((3, 32, 32), "center", "box")
    assert config["crop_pct"] == pytest.approx(32 / 37)
    assert net.pretrained_cfg["label_names"] == ["left", "middle", "right"]
    assert checks["float32"]["largest_difference"] < 1e-4
    # Soft pictures: of noise every way of averaging makes something else.
    soft = Image.fromarray(np.random.default_rng(0).integers(0, 255, (5, 6, 3), dtype=np.uint8))
    picture = soft.resize((240, 200), Image.Resampling.BICUBIC)
    shown = create_transform(**config)(picture).numpy()
    own_view = Predictor(runs("resnet"), device="cpu").transform(np.asarray(picture))[0].transpose(2, 0, 1) / 255
    mean, std = (np.reshape(config[name], (3, 1, 1)) for name in ("mean", "std"))
    assert np.abs(shown * std + mean - own_view).max() < 0.03


@pytest.mark.slow
def test_a_loss_with_a_classifier_of_its_own_is_exported_with_it(runs, export, tmp_path, capsys):
    run = runs("resnet", "--loss", "pedcc")
    folder, _ = export(run)
    pixels, expected, _ = own_scores(run)
    (scores,) = onnxruntime.InferenceSession(folder / "model.onnx").run(None, {"pixels": pixels})
    assert np.allclose(scores, expected, atol=1e-4)
    assert main(["export", str(run), "--format", "timm", "--out", str(tmp_path / "timm")]) == 1
    assert "method resnet with loss pedcc computes more than that: take --format onnx" in capsys.readouterr().err


@pytest.mark.slow
def test_half_and_int8_are_smaller_and_their_loss_is_told(runs, export):
    run = runs("resnet")
    sizes = {"float32": (export(run, out="whole")[0] / "model.onnx").stat().st_size}
    for kind in ("half", "int8"):
        folder, checks = export(run, f"--{kind}", out=kind)
        name = {"half": "float16", "int8": "int8"}[kind]
        sizes[name] = (folder / "model.onnx").stat().st_size
        assert list(checks) == ["float32", name]
        assert 0 < checks[name]["largest_difference"] < 2
        pixels, expected, labels = own_scores(run)
        session = onnxruntime.InferenceSession(folder / "model.onnx")
        (scores,) = session.run(None, {"pixels": pixels})
        assert checks[name]["exported_accuracy"] == (scores.argmax(1) == labels).mean()
        assert checks[name]["largest_difference"] == pytest.approx(np.abs(scores - expected).max(), rel=1e-3)
        assert json.loads(onnx.load(folder / "model.onnx").metadata_props[0].value)
    assert sizes["float16"] < 0.6 * sizes["float32"]
    assert sizes["int8"] < 0.4 * sizes["float32"]
    assert "int8 ranges from 24 training pictures" in (folder / "README.md").read_text()


def test_int8_is_calibrated_on_training_pictures_only(runs):
    predictor = Predictor(runs("resnet"), device="cpu")
    train, test = training_pictures(predictor, 100), held_out_pictures(predictor, 100)
    assert (len(train.labels), len(test.labels)) == (24, 12)
    assert np.bincount(train.labels).tolist() == [8, 8, 8]
    assert not any((a == b).all() for a in train.pixels for b in test.pixels)
    assert len(training_pictures(predictor, 5).labels) == 5


def test_a_picture_to_compare_on_must_be_readable(runs, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"no picture")
    with pytest.raises(FinegrainedError, match=r"bad\.png: unreadable image"):
        read_sample(Predictor(runs("resnet"), device="cpu"), [Item(tmp_path / "bad.png", "bad.png")])


def test_the_decoder_that_is_told_is_the_run_s(runs):
    predictor = Predictor(runs("resnet"), device="cpu")
    predictor.scorer = dataclasses.replace(predictor.scorer, decoder="mean")
    assert preprocessing(predictor)["decoder"] == "mean"


def test_timm_is_told_the_run_s_normalisation_and_crop(runs, monkeypatch):
    predictor = Predictor(runs("resnet"), device="cpu")
    monkeypatch.setattr(predictor.trainee.model, "mean", (0.1, 0.2, 0.3))
    monkeypatch.setattr(predictor.trainee.model, "std", (0.4, 0.5, 0.6))
    config = _pretrained_cfg(predictor)
    assert (config["mean"], config["std"]) == ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    assert config["crop_mode"] == "center"
    predictor.recipe = predictor.recipe.replace(resize="squash")
    assert _pretrained_cfg(predictor)["crop_mode"] == "squash"


def test_an_opset_that_the_exporter_does_not_keep_is_refused(runs, tmp_path, monkeypatch):
    def other_opset(_network, _given, path, **_how):
        graph = onnx.helper.make_graph([], "empty", [], [])
        onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)]), path)

    monkeypatch.setattr(torch.onnx, "export", other_opset)
    predictor = Predictor(runs("resnet"), device="cpu")
    with pytest.raises(FinegrainedError, match="can only be written with opset 18"):
        write_onnx(predictor, tmp_path, 17)
    write_onnx(predictor, tmp_path, 18)


def test_other_pictures_can_be_compared_on(runs, export, tiny_folder):
    _, checks = export(runs("resnet"), "--format", "torchscript", "--pictures", tiny_folder / "train", "--check-on", 7)
    assert checks["float32"]["pictures"] == 7
    assert checks["float32"]["run_accuracy"] is None


def test_views_and_sizes_are_those_of_the_run(runs):
    predictor = Predictor(runs("resnet"), device="cpu")
    predictor.recipe = predictor.recipe.replace(resize="squash", views="flip")
    facts = preprocessing(predictor)
    assert facts["resize"]["side"] == "both"
    assert facts["views"] == "flip"


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["--int8", "--format", "timm"], "--int8 is for --format onnx, got --format timm"),
        (["--int8", "--half"], "--half and --int8 exclude each other"),
        (["--check-on", "0"], "--check-on must be at least 1"),
        (["--pictures", "/nowhere.png"], "no picture found for /nowhere.png"),
        (["--weights", "selected"], "no 'selected' weights"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(runs, tmp_path, capsys, words, error):
    run = runs("resnet")
    capsys.readouterr()
    assert main(["export", str(run), "--out", str(tmp_path / "out"), *words]) == 1
    said = capsys.readouterr().err
    assert error in said
    assert said.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_method_that_is_no_timm_model_says_which_format_to_take(runs, tmp_path, capsys):
    run = runs("dfl")
    capsys.readouterr()
    assert main(["export", str(run), "--format", "timm", "--out", str(tmp_path / "out")]) == 1
    assert "method dfl with loss crl computes more than that: take --format onnx" in capsys.readouterr().err


def test_a_target_that_is_there_is_refused_before_anything_is_loaded(tmp_path, capsys):
    (tmp_path / "out").write_text("mine")
    assert main(["export", "/nowhere", "--out", str(tmp_path / "out")]) == 1
    assert "out is there already: choose another, or remove it" in capsys.readouterr().err
    assert (tmp_path / "out").read_text() == "mine"


def test_a_model_that_says_something_else_is_not_written(runs, tmp_path, capsys, monkeypatch):
    read = exporting._read
    monkeypatch.setattr(exporting, "_read", lambda folder, kind: lambda pixels: read(folder, kind)(pixels) + 0.01)
    run = runs("resnet")
    capsys.readouterr()
    assert main(["export", str(run), "--format", "torchscript", "--out", str(tmp_path / "out")]) == 1
    assert "does not say what the run says (12 pictures: largest difference of a score 0.01" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_pictures_that_went_away_are_one_line(runs, tmp_path, capsys, monkeypatch):
    results = Predictor(runs("resnet"), device="cpu").run.read_results()
    results["data"]["root"] = "/gone"
    run = runs("resnet")
    monkeypatch.setattr("finegrained_crl.training.run_folder.RunFolder.read_results", lambda self: results)
    capsys.readouterr()
    assert main(["export", str(run), "--out", str(tmp_path / "out")]) == 1
    assert "are no longer in /gone" in capsys.readouterr().err


def test_a_missing_package_says_what_to_install(runs, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    run = runs("resnet")
    capsys.readouterr()
    assert main(["export", str(run), "--out", str(tmp_path / "out")]) == 1
    said = capsys.readouterr().err
    assert "this export needs the package onnxruntime: pip install 'finegrained-crl[export]'" in said
    assert not Path(tmp_path / "out").exists()
