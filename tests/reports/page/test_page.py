"""The page: every number in it by scikit-learn, foreign names harmless, nothing of people where none is wanted."""

import json
import re
import shutil
from html import unescape

import numpy as np
import pandas as pd
import pytest
from made_study import GROUPS, write_study
from PIL import Image
from sklearn import metrics

from finegrained_crl.cli.main import main
from finegrained_crl.crossval.collect import collect
from finegrained_crl.files import write_json
from finegrained_crl.training.committed import commit
from finegrained_crl.training.sittings import NAME

STRENGTHS = {"ce": 1.0, "crl": 1.6, "focal": 1.1}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    root = tmp_path_factory.mktemp("root")
    for fold in range(3):
        (root / f"test{fold}").mkdir()
        for i in range(40):
            Image.new("RGB", (20, 16), (6 * i, 80 * fold, 90)).save(root / f"test{fold}" / f"{i}.png")

    def changed(cell, frame, results):
        results["data"]["root"] = str(root)
        return frame.assign(path=frame["path"] + ".png")

    folder = write_study(tmp_path_factory.mktemp("page") / "hidden-name", STRENGTHS, changed=changed)
    assert main(["report", str(folder)]) == 0
    return folder


def text_of(study, name="report.html"):
    html = (study / name).read_text()
    body = re.sub(r"<(style|script)>.*?</\1>", "", html, flags=re.DOTALL)
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body)))


def test_the_variants_table_holds_the_means_of_scikit_learn(study):
    collected, text = collect(study), text_of(study)
    for variant in STRENGTHS:
        per_fold = {}
        for cell in collected.done:
            if cell.variant == variant:
                frame = collected.predictions[cell.name]
                test = frame[frame["part"] == "test"]
                predicted = np.stack(test["logits"].to_list()).argmax(1)
                accuracy = metrics.accuracy_score(test["label"], predicted)
                per_fold.setdefault(cell.fold, []).append(accuracy)
                assert f"fold {cell.fold}, seed {cell.seed}: {100 * accuracy:.2f}" in text
        mean = np.mean([np.mean(values) for values in per_fold.values()])
        assert f"{100 * mean:.2f}" in text


def test_confusion_counts_are_scikit_learns(study):
    collected = collect(study)
    frames = [f[f["part"] == "test"] for name, f in collected.predictions.items() if name.startswith("ce_")]
    table = pd.concat(frames)
    predicted = np.stack(table["logits"].to_list()).argmax(1)
    expected = metrics.confusion_matrix(table["label"], predicted, labels=range(4))
    svg = (study / "figures" / "confusion-0.svg").read_text()
    drawn = [int(number) for number in re.findall(r">(\d+)</text>", svg)]
    counts = expected.ravel().tolist()
    assert any(drawn[i : i + 16] == counts for i in range(len(drawn)))
    recall = metrics.recall_score(table["label"], predicted, labels=range(4), average=None, zero_division=0)
    worst = f"lowest: {GROUPS[int(recall.argmin())]}, {100 * recall.min():.1f} %"
    assert worst in text_of(study) or recall.min() > 0


def test_disagreements_are_counted_both_ways_on_mean_probabilities(study):
    collected = collect(study)

    def right(variant):
        tables = []
        for cell in collected.done:
            if cell.variant == variant:
                frame = collected.predictions[cell.name]
                test = frame[frame["part"] == "test"]
                z = np.stack(test["logits"].to_list())
                p = np.exp(z - z.max(1, keepdims=True))
                columns = {f"p{k}": column for k, column in enumerate((p / p.sum(1, keepdims=True)).T)}
                tables.append(pd.DataFrame({"id": test["id"], "label": test["label"], **columns}))
        means = pd.concat(tables).groupby("id").mean()
        return means[[f"p{k}" for k in range(4)]].to_numpy().argmax(1) == means["label"].to_numpy()

    crl, ce = right("crl"), right("ce")
    text = text_of(study)
    assert f"{(crl & ~ce).sum()} pictures: right with CRL, wrong with CE" in text
    assert f"{(ce & ~crl).sum()} pictures: right with CE, wrong with CRL" in text


def test_headline_and_files(study):
    text = text_of(study)
    assert "CRL is better than CE in exact" in text or "cannot tell whether CRL or CE is better" in text
    for sheet in ("losses-last", "intervals-last", "differences-last"):
        text = (study / "tables" / f"{sheet}.md").read_text()
        assert text.split("\n\n")[0] in (study / "report.md").read_text()
        assert r"\toprule" in (study / "tables" / f"{sheet}.tex").read_text()
    html = (study / "report.html").read_text()
    assert html.count('src="data:image/jpeg;base64,') > 5
    for name in ("forest", "folds", "reliability", "coverage-risk", "distances", "recall", "confusion-difference"):
        assert (study / "figures" / f"{name}.png").read_bytes()[:4] == b"\x89PNG"
        svg = (study / "figures" / f"{name}.svg").read_text()
        assert svg.startswith("<svg")
        assert ' style="' not in svg
        assert f'aria-labelledby="{name}-title {name}-desc"' in svg
    ids = re.findall(r' id="([^"]+)"', html)
    assert len(ids) == len(set(ids))


def test_no_more_pictures_than_asked_for(study, tmp_path, no_charts):
    assert main(["report", str(study), "--out", str(tmp_path), "--max-images", "3"]) == 0
    html = (tmp_path / "report.html").read_text()
    assert len(set(re.findall(r'src="(data:image[^"]+)"', html))) == 3


def test_an_anonymous_page_holds_nobody(study, tmp_path):
    assert main(["report", str(study), "--out", str(tmp_path), "--anonymous"]) == 0
    html = (tmp_path / "report.html").read_text()
    for secret in ("data:image/jpeg", "test0/", "test person", str(study), study.name, "/tmp"):
        assert secret not in html, secret
    assert "picture 1" in html


NASTY = ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "</style> & $x_1$ | a\nb", "=cmd()" + "ه" * 300]


def test_names_that_try_to_break_it(tmp_path):
    def changed(cell, frame, results):
        results["class_names"] = NASTY
        frame.loc[frame["gender"] == "f", "gender"] = NASTY[0]
        return frame

    folder = write_study(tmp_path / "s", {"ce": 1.0, "crl": 1.6}, changed=changed)
    assert main(["report", str(folder)]) == 0
    html = (folder / "report.html").read_text()
    body = html[html.index("<body>") : html.rindex("<script>")]
    assert "<script" not in body
    assert not re.search(r"<img[^>]+onerror", body)
    assert "&lt;script&gt;alert(1)" in body
    for table in (folder / "tables").glob("*.csv"):
        assert not re.search(r"(^|,)=cmd", table.read_text(), flags=re.MULTILINE)


@pytest.mark.parametrize("variants", [{"ce": 1.0}, {"ce": 1.0, "crl": 1.0}])
def test_little_to_show(variants, tmp_path):
    folder = write_study(tmp_path / "s", variants, folds=(None,), seeds=(0,), ordered=False, validation=False)
    assert main(["report", str(folder)]) == 0
    text = text_of(folder)
    assert "One variant: nothing is compared." in text or "cannot tell" in text


def test_commands_machines_and_memory_are_told(study, tmp_path, no_charts):
    kept = tmp_path / "kept"
    shutil.copytree(study, kept)
    sitting = {
        "command": "fgcrl crossval --out somewhere",
        "machine": "a processor",
        "source": "commit abc, changed since",
    }
    write_json(kept / NAME, {"sittings": [sitting]})
    for i, run in enumerate(sorted((kept / "cells").iterdir())):
        (run / "epochs.csv").write_text(f"epoch,seconds,images_per_second\n1,{i},10\n")
        one = {"command": "fgcrl finetune", "machine": f"processor {i}", "source": "commit abc", "peak_mib": 1000 + i}
        write_json(run / NAME, {"sittings": [{"peak_mib": 9}, one]})
        commit(run)
    assert main(["report", str(kept)]) == 0
    text = text_of(kept)
    assert "fgcrl crossval --out somewhere" in text
    assert re.search(r"processor 0; processor \d+; processor \d+; processor \d+ and 14 more", text)
    assert "commit abc" in text
    # Cells stand in the order of their names: ce's, then crl's, then focal's, six of each.
    assert all(median in text for median in ("1,002", "1,008", "1,014"))
    assert main(["report", str(kept), "--anonymous", "--out", str(tmp_path / "anonymous")]) == 0
    assert "somewhere" not in text_of(tmp_path / "anonymous")
    (kept / NAME).write_text("{")
    assert main(["report", str(kept)]) == 0


def test_unfinished_cells_are_told(tmp_path, no_charts):
    folder = write_study(tmp_path / "s", STRENGTHS, skip=["ce_f0_s0"])
    assert main(["report", str(folder)]) == 0
    assert "1 of 18 cells are not finished" in text_of(folder)


def test_watching_ends_with_the_last_cell(tmp_path, monkeypatch, no_charts):
    from finegrained_crl.cli import report as module

    whole = write_study(tmp_path / "whole", {"ce": 1.0, "crl": 2.0})
    folder = write_study(tmp_path / "s", {"ce": 1.0, "crl": 2.0}, skip=["ce_f0_s0"])
    waits = []

    def sleep(seconds):
        waits.append(seconds)
        (whole / "cells" / "ce_f0_s0").rename(folder / "cells" / "ce_f0_s0")

    monkeypatch.setattr(module.time, "sleep", sleep)
    assert main(["report", str(folder), "--watch", "5"]) == 0
    assert waits == [5.0]
    assert "not finished" not in text_of(folder)


def test_the_page_opens_on_request(study, tmp_path, monkeypatch, no_charts):
    from finegrained_crl.cli import report as module

    opened = []
    monkeypatch.setattr(module.webbrowser, "open", opened.append)
    assert main(["report", str(study), "--out", str(tmp_path), "--open"]) == 0
    assert opened == [(tmp_path / "report.html").resolve().as_uri()]


def test_without_torch(tmp_path):
    import subprocess
    import sys

    run = "from finegrained_crl.cli.main import main; sys.exit(main(sys.argv[1:]))"
    code = f"import sys; sys.modules['torch'] = None; {run}"
    study = write_study(tmp_path / "s", {"ce": 1.0, "crl": 1.6}, folds=(0,), seeds=(0,))
    words = ["report", str(study), "--out", str(tmp_path), "--json"]
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert str(tmp_path / "report.html") in json.loads(done.stdout)["files"]
