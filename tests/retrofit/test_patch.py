"""Patches: git takes them and takes them back, formatting stays, and a patched program computes what a run does."""

import os
import subprocess
from pathlib import Path

import pytest

from finegrained_crl.errors import FinegrainedError
from finegrained_crl.retrofit.patch import make_patch
from finegrained_crl.retrofit.scan import scan
from finegrained_crl.retrofit.sites.decision import Choice


def git(folder, *words, **options):
    done = subprocess.run(["git", *words], cwd=folder, capture_output=True, check=False, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def patched(folder, *, alpha=1.5, beta=1.0, **choice):
    """Apply, return the changed text of each file, and check that -R gives back every byte."""
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file() and ".git" not in p.parts}
    git(folder, "init", "-q")
    git(folder, "-c", "core.autocrlf=false", "add", ".")
    made = make_patch(scan(folder.resolve(), Choice(**choice)), alpha, beta)
    git(folder, "apply", input=made.diff)
    after = {p: p.read_bytes() for p in before}
    git(folder, "apply", "-R", input=made.diff)
    assert {p: p.read_bytes() for p in before} == before
    for path, data in after.items():
        path.write_bytes(data)
    return {p.relative_to(folder).as_posix(): after[p] for p in before if after[p] != before[p]}, made


def test_formatting_stays_to_the_byte(tmp_path):
    files = {
        "crlf.py": b"import torch.nn as nn\r\n\r\ncrit = nn.CrossEntropyLoss( )\r\ncrit(a, b).backward()\r\n",
        "tabs.py": (
            b"import torch.nn.functional as F\ndef train(x, y):\n"
            b"\tif x:\n\t\tloss = F.cross_entropy(x,  y , reduction = 'sum')  # why\n\t\tloss.backward()"
        ),
        "bom.py": b"\xef\xbb\xbfimport torch.nn as nn\ncrit = nn.CrossEntropyLoss(W, None, 3)\ncrit(a, b).backward()\n",
        "latin.py": (
            b"# -*- coding: latin-1 -*-\nimport torch.nn as nn\nn = '\xe9'; crit = nn.CrossEntropyLoss(); crit(a,"
            b" b).backward()\n"
        ),
        "two words \xe9.py": (
            b"from __future__ import annotations\nimport torch\n"
            b"torch.nn.functional.cross_entropy(\n    a,  # logits\n    b,\n    weight=w,\n).backward()\n"
        ),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    changed, made = patched(tmp_path)
    new = b"from finegrained_crl import CompetingRatioLoss"
    assert changed["crlf.py"] == files["crlf.py"].replace(b"nn.CrossEntropyLoss( )", b"CompetingRatioLoss()").replace(
        b" nn\r\n", b" nn\r\n" + new + b"\r\n"
    )
    assert changed["tabs.py"] == files["tabs.py"].replace(b"F.cross_entropy", b"competing_ratio_loss").replace(
        b" F\n", b" F\nfrom finegrained_crl import competing_ratio_loss\n"
    )
    assert changed["bom.py"].startswith(b"\xef\xbb\xbfimport torch.nn as nn\n" + new + b"\n")
    assert b"CompetingRatioLoss(weight=W, ignore_index=3)" in changed["bom.py"] or "bom.py:2" in made.refused
    assert b"n = '\xe9'; crit = CompetingRatioLoss(); crit(a" in changed["latin.py"]
    assert b"# logits\n    b,\n    weight=w,\n).backward" in changed["two words \xe9.py"]
    assert len(made.edited) == len(files) - len(made.refused)


def test_options_in_position_get_their_names(tmp_path):
    head = "import torch.nn.functional as F\n"
    (tmp_path / "ce.py").write_text(head + "F.cross_entropy(x, y, w, None, 3).backward()\n")
    (tmp_path / "nll.py").write_text(head + "F.nll_loss(F.log_softmax(x, 1), y, w).backward()\n")
    changed, _ = patched(tmp_path)
    assert b"competing_ratio_loss(x, y, weight=w, ignore_index=3).backward()" in changed["ce.py"]
    assert b"log_probability_loss(F.log_softmax(x, 1), y, weight=w).backward()" in changed["nll.py"]


def test_where_evaluation_shares_the_criterion_only_training_calls_change(tmp_path):
    (tmp_path / "a.py").write_text(
        "from torch import nn\ncrit = nn.CrossEntropyLoss(weight=w)\ndef train(x, y):\n    crit(x, y).backward()\n"
        "def validate(x, y):\n    return crit(x, y)\n"
    )
    changed, _ = patched(tmp_path, alpha=2.0)
    lines = changed["a.py"].decode().splitlines()
    assert "    retrofit_criterion(crit, alpha=2.0, strict=False)(x, y).backward()" in lines
    assert "    return crit(x, y)" in lines
    assert "crit = nn.CrossEntropyLoss(weight=w)" in lines


def test_what_can_not_be_written_down_is_refused_by_name(tmp_path):
    (tmp_path / "a.py").write_text(
        "import torch.nn.functional as F\nF.cross_entropy(*pair).backward()\nF.cross_entropy(a, b,"
        " size_average=False).backward()\n"
    )
    made = make_patch(scan(tmp_path.resolve()))
    assert made.diff == b""
    assert set(made.refused) == {"a.py:2", "a.py:3"}


def test_a_call_inside_another_is_an_error_that_says_so(tmp_path):
    (tmp_path / "a.py").write_text(
        "import torch.nn.functional as F\nF.cross_entropy(F.cross_entropy(a, b), c).backward()\n"
    )
    with pytest.raises(FinegrainedError, match="inside another"):
        make_patch(scan(tmp_path.resolve()))


PATCHABLE = [
    "functional.py", "aliased.py", "import_time.py", "smoothing.py",
    "soft_targets.py", "pixels.py", "validation_grad.py", "phases.py",
    "timm_losses.py", "nll.py",
]  # fmt: skip


def test_patched_programs_compute_what_the_hand_edited_ones_do(make_workshop, same_bits):
    shop = make_workshop()
    edited = shop.edited()
    changed, made = patched(shop.folder)
    assert made.edited
    for program in PATCHABLE:
        assert program in changed or program == "import_time.py"
        assert same_bits(shop.here(program), edited.here(program)), program


def test_the_command_writes_only_to_standard_output(tmp_path, capfdbinary):
    from finegrained_crl.cli.main import main

    (tmp_path / "a.py").write_text("import torch\ntorch.nn.functional.cross_entropy(a, b).backward()\n")
    assert main(["retrofit", "patch", str(tmp_path), "--beta", "0.5"]) == 0
    out, err = capfdbinary.readouterr()
    assert out.startswith(b"diff --git a/a.py b/a.py\n--- a/a.py\n")
    assert b"+competing_ratio_loss(a, b, beta=0.5).backward()\n" in out
    assert b"1 places: a.py:2" in err
    assert [p.name for p in Path(tmp_path).iterdir()] == ["a.py"]
    assert main(["retrofit", "patch", str(tmp_path), "--skip", "a.py"]) == 1
    assert b"no site to change" in capfdbinary.readouterr().err


def test_a_call_whose_callers_decide_is_pointed_out(tmp_path):
    (tmp_path / "a.py").write_text(
        "import torch.nn.functional as F\ndef helper(x, y):\n    return F.cross_entropy(x, y)\n"
    )
    assert make_patch(scan(tmp_path.resolve())).shared == ["a.py:3"]


def test_what_stands_between_a_criterion_and_its_options_keeps_them(tmp_path):
    head = "from functools import partial\nimport torch.nn.functional as F\nfrom torch import nn\n"
    (tmp_path / "a.py").write_text(head + "f = partial(F.cross_entropy, label_smoothing=.1)\nf(x, y).backward()\n")
    (tmp_path / "b.py").write_text(
        head + "Make = partial(nn.CrossEntropyLoss, weight=w)\nc = Make()\nc(x, y).backward()\n"
    )
    (tmp_path / "c.py").write_text(
        head + "f = partial(F.cross_entropy, weight=w)\nf(x, y).backward()\nval_loss = f(x, y)\n"
    )
    (tmp_path / "d.py").write_text(head + "c = getattr(nn, loss_name)()\nc(x, y).backward()\n")
    changed, made = patched(tmp_path, beta=0.5)
    assert (
        "f = partial(competing_ratio_loss, label_smoothing=.1, beta=0.5)\nf(x, y).backward()"
        in changed["a.py"].decode()
    )
    assert "c = Make()\nretrofit_criterion(c, beta=0.5, strict=False)(x, y).backward()" in changed["b.py"].decode()
    assert set(made.refused) == {"c.py:5", "d.py:5"}


def test_a_subclass_that_computes_by_itself_changes_where_it_computes(tmp_path):
    (tmp_path / "a.py").write_text(
        "import torch.nn.functional as F\nfrom torch import nn\nclass Own(nn.CrossEntropyLoss):\n    def forward(self,"
        " x, y):\n        return F.cross_entropy(x, y)\nc = Own()\nc(x, y).backward()\n"
    )
    assert make_patch(scan(tmp_path.resolve(), Choice(only=["a.py:7"]))).refused == {
        "a.py:7": "Own.forward computes it: name a.py:5 instead"
    }
    assert patched(tmp_path)[1].edited == ["a.py:5"]


def test_names_that_are_no_text_are_quoted_by_their_bytes(tmp_path):
    path = os.path.join(os.fsencode(tmp_path), b"odd\xff\n.py")
    with open(path, "wb") as file:
        file.write(b"import torch.nn.functional as F\nF.cross_entropy(a, b).backward()\n")
    (changed,) = patched(tmp_path)[0].values()
    assert b"competing_ratio_loss(a, b)" in changed


def test_an_attribute_that_serves_other_objects_is_left_with_a_comment(tmp_path):
    (tmp_path / "a.py").write_text(
        "from torch import nn\nclass Head:\n    def __init__(self):\n        self.module = nn.CrossEntropyLoss()\n"
        "    def train(self, x, y):\n        self.module(x, y).backward()\n"
    )
    (tmp_path / "b.py").write_text("class Block:\n    def __init__(self, conv):\n        self.module = conv\n")
    (tmp_path / "c.py").write_text(
        "from torch import nn\nc = nn.CrossEntropyLoss()\nc(1, 2).backward()\n"
        "def train(block, x, y):\n    loss = block.module(x, y)\n    loss.backward()\n"
    )
    changed, made = patched(tmp_path)
    text = changed["c.py"].decode()
    assert "    # fgcrl: left as it is; what is called here may be another object than a cross-entropy\n" in text
    assert "loss = block.module(x, y)" in text
    assert "may be another object" in made.refused["c.py:5"]
    assert b"retrofit_criterion(self.module, strict=False)(x, y)" in changed["a.py"]


@pytest.mark.parametrize(
    "body",
    [
        "ce = F.cross_entropy(x, y, reduction='none')\npt = torch.exp(-ce)\nloss = ((1 - pt) ** 2 * ce).mean()",
        "ce = F.cross_entropy(x, y)\nloss = ce + torch.log(2.5 - torch.exp(-ce))",
        "loss = torch.exp(F.cross_entropy(x, y))",
        "ce = F.cross_entropy(x, y)\nloss = ce.pow(2)",
    ],
)
def test_an_ingredient_is_not_patched(tmp_path, body):
    (tmp_path / "a.py").write_text(f"import torch\nimport torch.nn.functional as F\n{body}\nloss.backward()\n")
    made = make_patch(scan(tmp_path.resolve(), Choice()))
    assert made.diff == b""
    (site,) = [site for site in scan(tmp_path.resolve(), Choice()).sites if site.kind == "call"]
    assert (site.action, "an ingredient of another loss" in site.reason) == ("refuse", True)


def test_a_perplexity_for_the_log_is_no_ingredient(tmp_path):
    body = "loss = F.cross_entropy(x, y)\nprint(math.exp(loss.item()))\nloss.backward()\n"
    (tmp_path / "a.py").write_text(f"import math, torch\nimport torch.nn.functional as F\n{body}")
    assert b"competing_ratio_loss(x, y)" in make_patch(scan(tmp_path.resolve(), Choice())).diff
