"""Tables and curves come from run folders alone, and refuse to mix what can't be compared."""

import json

import pytest

from finegrained_crl.cli.main import main
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.reports import curves
from finegrained_crl.reports.comparison import compare_runs, read_epochs
from finegrained_crl.reports.curves import draw_curves
from finegrained_crl.training import committed
from finegrained_crl.training.run_folder import FORMAT, RunFolder


def make_run(folder, *, loss="crl", fingerprint="abc", headline="last", top1=0.5):
    folder.mkdir(parents=True)
    (folder / "recipe.yaml").write_text(committed.sealed("seed: 0\n"))
    (folder / "epochs.csv").write_text(
        "epoch,train_loss,train_accuracy,val_top1,seconds\n1,2.0,0.4,0.3,10\n2,1.0,0.6,,12.5\n"
    )
    part = {"num_images": 10, "top1_accuracy": top1, "mean_class_accuracy": 0.4, "ece": 0.1}
    results = {
        "format": FORMAT,
        "headline": headline,
        "loss": {"name": loss},
        "seed": 0,
        "epochs_run": 2,
        "metrics": {"last": {"test": part}, "selected_on_validation": {"test": {**part, "top1_accuracy": 0.9}}},
        "data": {"fingerprint": {"digest": fingerprint}},
        "protocol": {"evaluated_on": "test"},
    }
    (folder / "results.json").write_text(json.dumps(results))
    RunFolder(folder).commit()
    return folder


def test_rows_show_the_headline_and_the_time(tmp_path):
    rows = compare_runs([make_run(tmp_path / "a"), make_run(tmp_path / "b", loss="ce", headline="selected")])
    assert [(r["loss"], r["top1_accuracy"], r["train_seconds"]) for r in rows] == [
        ("crl", 0.5, 22.5),
        ("ce", 0.9, 22.5),
    ]


def test_runs_on_different_data_are_refused(tmp_path):
    with pytest.raises(FinegrainedError, match="evaluated on different data"):
        compare_runs([make_run(tmp_path / "a"), make_run(tmp_path / "b", fingerprint="xyz")])


def test_an_unfinished_run_is_refused(tmp_path):
    run = make_run(tmp_path / "a")
    (run / "results.json").unlink()
    (run / "COMMITTED").unlink()
    with pytest.raises(FinegrainedError, match="is not finished"):
        compare_runs([run])


def test_empty_cells_are_left_out(tmp_path):
    assert "val_top1" not in read_epochs(make_run(tmp_path / "a"))[1]


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_curves_are_drawn(tmp_path, suffix):
    target = draw_curves(
        {"CRL": make_run(tmp_path / "a"), "CE": make_run(tmp_path / "b")}, tmp_path / f"curves{suffix}"
    )
    content = target.read_bytes()
    assert content.startswith(b"\x89PNG") if suffix == ".png" else b"<svg" in content


def test_a_strip_of_pictures_stands_above_the_curves(tmp_path):
    from PIL import Image

    Image.new("RGB", (8, 8)).save(tmp_path / "bird.png")
    runs = {"CRL": make_run(tmp_path / "a")}
    plain = Image.open(draw_curves(runs, tmp_path / "plain.png"))
    strip = Image.open(draw_curves(runs, tmp_path / "strip.png", pictures={"bird": tmp_path / "bird.png"}))
    assert strip.height > plain.height
    top = strip.convert("L").crop((0, 0, strip.width, strip.height // 3))
    assert top.getextrema()[0] < 20, "the black picture is not in the strip"


def test_a_method_with_several_losses_gets_a_panel_for_them(tmp_path):
    from PIL import Image

    from finegrained_crl.cli.main import main

    run = make_run(tmp_path / "a")
    plain = Image.open(draw_curves({"a": run}, tmp_path / "plain.png"))
    (run / "epochs.csv").write_text(
        "epoch,train_loss,stage,train_loss_head,train_loss_all,train_accuracy\n1,2.0,first,2.0,,0.5\n2,1.0,second,,1.0,0.6\n"
    )
    RunFolder(run).commit()
    assert read_epochs(run)[1] == {"epoch": 2.0, "train_loss": 1.0, "train_loss_all": 1.0, "train_accuracy": 0.6}
    assert main(["plot", "curves", str(run), "--out", str(tmp_path / "roles.png")]) == 0
    assert Image.open(tmp_path / "roles.png").width > plain.width


def test_curves_of_what_is_no_run(tmp_path, capsys):
    from finegrained_crl.cli.main import main

    assert main(["plot", "curves", str(tmp_path)]) == 1
    assert "holds no finished epoch" in capsys.readouterr().err
    assert main(["plot", "curves", str(tmp_path), "--out", "curves.txt"]) == 1
    assert "give a .png, .svg or .pdf file" in capsys.readouterr().err


def test_a_run_on_another_part_is_refused_and_figures_are_the_test_parts(tmp_path):
    one, other = make_run(tmp_path / "one"), make_run(tmp_path / "other")
    results = json.loads((other / "results.json").read_text())
    for part in results["metrics"].values():
        part["val"] = {**part["test"], "top1_accuracy": 0.123}
    (other / "results.json").write_text(json.dumps(results))
    RunFolder(other).commit()
    assert [row["top1_accuracy"] for row in compare_runs([one, other])] == [0.5, 0.5]
    results["protocol"]["evaluated_on"] = "fold 1"
    (other / "results.json").write_text(json.dumps(results))
    RunFolder(other).commit()
    with pytest.raises(FinegrainedError, match="evaluated on different data"):
        compare_runs([one, other])


def test_curves_of_runs_of_one_name_are_told_apart_by_their_paths(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(curves, "draw_curves", lambda runs, out: drawn.extend(runs) or out)
    words = [str(tmp_path / name) for name in ("a/run", "b/run", "c/other")]
    assert main(["plot", "curves", *words, "--out", str(tmp_path / "x.png")]) == 0
    assert drawn == [*words[:2], "other"]
