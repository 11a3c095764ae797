"""Scanning: every pattern is found with its role and what a run would do; nothing is executed, nothing outside is
read.
"""

import os
import time
from pathlib import Path

import pytest

from finegrained_crl.cli.main import main
from finegrained_crl.retrofit.scan import scan
from finegrained_crl.retrofit.sites.decision import Choice

PROGRAMS = Path(__file__).parent / "programs"


def scanned(folder, files, **choice):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return scan(folder.resolve(), Choice(**choice))


def actions(found, kind="call"):
    return {f"{s.file}:{s.line}": (s.role, s.action) for s in found.sites if s.kind == kind}


def test_what_a_scan_says_is_what_a_run_does(tmp_path):
    found = scan(PROGRAMS.resolve())
    calls = actions(found)
    assert calls["two_roles.py:10"] == ("gender", "replace")
    assert calls["two_roles.py:11"] == ("age", "replace")
    assert calls["validation_grad.py:8"] == calls["validation_grad.py:25"] == ("validation", "leave")
    assert (
        calls["validation_grad.py:19"]
        == calls["functional.py:9"]
        == calls["package/__main__.py:9"]
        == ("class", "replace")
    )
    assert calls["import_time.py:7"] == calls["nll.py:12"] == calls["timm_losses.py:10"] == ("class", "replace")
    built = actions(found, "construction")
    assert built["unused.py:4"][1] == "look"
    assert built["criteria_at_import.py:3"][1] == "replace"


def test_a_criterion_is_followed_through_arguments_attributes_and_factories(tmp_path):
    found = scanned(
        tmp_path,
        {
            "losses.py": (
                "import torch.nn as tn\ndef make(kind):\n    crit = tn.CrossEntropyLoss().cuda() if kind else"
                " tn.L1Loss()\n    return crit\n"
            ),
            "loop.py": (
                "class Engine:\n    def __init__(self, net, objective):\n        self.objective = objective\n"
                "    def fit(self, x, y):\n        self.objective(self.net(x), y).backward()\n"
                "    def evaluate(self, x, y):\n        return self.objective(self.net(x), y)\n"
            ),
            "main.py": "from losses import make\nfrom loop import Engine\nEngine(None, make(1)).fit(0, 0)\n",
        },
    )
    assert actions(found) == {"loop.py:5": ("class", "replace"), "loop.py:7": ("validation", "leave")}
    assert {s.built for s in found.sites if s.kind == "call"} == {("losses.py:3",)}


@pytest.mark.parametrize(
    ("line", "role"),
    [
        ("aux_loss = F.cross_entropy(aux, y)", "auxiliary"),
        ("swap_loss = F.cross_entropy(out[1], labels_swap)", "swap"),
        ("loss = F.cross_entropy(model(x), teacher(x).softmax(1))", "distillation"),
        ("loss = F.cross_entropy(sims, torch.arange(len(x)))", "contrastive"),
        ("loss_gender = F.cross_entropy(a, b)", "gender"),
        ("loss = F.cross_entropy(out, y)", "class"),
    ],
)
def test_roles_come_from_names(tmp_path, line, role):
    found = scanned(
        tmp_path,
        {"a.py": f"import torch\nimport torch.nn.functional as F\ndef step(x, y):\n    {line}\n    return x\n"},
    )
    assert actions(found)["a.py:4"][0] == role


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        ("with torch.no_grad():\n    loss = crit(m(x), y)\n    total += loss.item()\n", "eval"),
        ("with torch.set_grad_enabled(True):\n    loss = crit(m(x), y)\nloss.backward()\n", "train"),
        ("m.eval()\nloss = crit(m(x), y)\n", "eval"),
        ("m.train(False)\nloss = crit(m(x), y)\nprint(loss.item())\nloss = other(x)\nloss.backward()\n", "eval"),
        ("parts = []\nparts.append(crit(m(x), y))\nsum(parts).backward()\n", "train"),
        ("d = {}\nd['a'] = crit(m(x), y)\ntotal = sum(d.values())\nscaler.scale(total).backward()\n", "train"),
        ("self.loss = crit(m(x), y)\naccelerator.backward(self.loss)\n", "train"),
        ("if a:\n    loss = crit(m(x), y)\nelse:\n    loss = 0\nloss.backward()\n", "train"),
        (
            (
                "def go(train):\n    loss = crit(m(x), y)\n    if not train:\n        return loss.item()\n   "
                " loss.backward()\n"
            ),
            "train",
        ),
        ("loss = crit(m(x), y)\n", ""),
        ("m.train(); m.eval(); loss = crit(m(x), y)\n", "eval"),
        ("m.eval(); m.train(); loss = crit(m(x), y); m.eval()\n", "train"),
        ("def train_epoch():\n    running = crit(m(x), y).item()\n", "train"),
        ("def train_epoch():\n    val_loss += crit(m(x), y).item()\n", "eval"),
        ("test_loss = crit(m(x), y)\ntest_loss.backward()\n", "train"),
    ],
)
def test_training_and_evaluation_are_told_apart_by_place(tmp_path, code, verdict):
    body = "import torch\ncrit = torch.nn.CrossEntropyLoss()\n" + code
    (site,) = [s for s in scanned(tmp_path, {"run.py": body}).sites if s.kind == "call"]
    assert site.verdict == verdict


@pytest.mark.parametrize(
    "code",
    [
        (
            "LOSSES = {'ce': nn.CrossEntropyLoss, 'mse': nn.MSELoss}\ncrit = LOSSES.get(name)()\ncrit(m(x),"
            " y).backward()\n"
        ),
        (
            "pairs = [(1.0, nn.CrossEntropyLoss()), (0.5, nn.NLLLoss())]\nsum(w * c(m(x), y) for w, c in"
            " pairs).backward()\n"
        ),
        "def train(crit=nn.CrossEntropyLoss()):\n    crit(m(x), y).backward()\n",
        "def train(*, crit=nn.CrossEntropyLoss()):\n    crit(m(x), y).backward()\n",
        (
            "class Config:\n    crit: object = field(default_factory=nn.CrossEntropyLoss)\nConfig().crit(m(x),"
            " y).backward()\n"
        ),
        "crit = getattr(nn, cfg.loss)()\ncrit(m(x), y).backward()\n",
        "Make = partial(nn.CrossEntropyLoss, label_smoothing=0.1)\ncrit = Make()\ncrit(m(x), y).backward()\n",
        "kind = nn.NLLLoss if log else nn.CrossEntropyLoss\ncrit = kind()\ncrit(m(x), y).backward()\n",
    ],
)
def test_a_criterion_chosen_at_run_time_is_found(tmp_path, code):
    found = scanned(tmp_path, {"run.py": "from torch import nn\n" + code})
    (call,) = [s for s in found.sites if s.kind == "call"]
    assert (call.line, call.role, call.action) == (1 + code.count("\n"), "class", "replace")
    built = [s for s in found.sites if s.kind == "construction"]
    assert built
    assert {s.action for s in built} == {"replace"}
    assert call.built == (f"run.py:{built[0].line}",)


def test_getattr_of_something_else_is_no_loss(tmp_path):
    found = scanned(tmp_path, {"run.py": "from torch import nn\nact = getattr(nn, cfg.activation)()\ny = act(x, 1)\n"})
    assert found.sites == []


def test_hand_written_losses_and_scores_are_pointed_at(tmp_path):
    found = scanned(
        tmp_path,
        {
            "a.py": (
                "import torch.nn.functional as F\nclass LabelSmoothing:\n    def forward(self, x, y):\n"
                "        lp = F.log_softmax(x, 1)\n"
                "        return -lp.sum() + F.nll_loss(lp, y)\ndef score(x):\n    return F.log_softmax(x, 1)[0]\n"
                "def plain(x, y):\n    lp = F.log_softmax(x, 1)\n    return F.nll_loss(lp, y)\n"
            )
        },
    )
    assert {s.line for s in found.sites if s.kind == "look"} == {2, 4, 7}
    assert actions(found) == {"a.py:5": ("class", "refuse"), "a.py:10": ("class", "replace")}


def test_where_a_smoothing_class_of_its_own_is_built_is_pointed_at(tmp_path):
    found = scanned(
        tmp_path,
        {
            "mine.py": (
                "class LabelSmoothingLoss:\n    def __call__(self, x, y):\n        return -(x.log() * y).sum()\n"
            ),
            "train.py": "from mine import LabelSmoothingLoss\ncrit = LabelSmoothingLoss(0.1)\n",
        },
    )
    assert ("train.py", 2, "look") in {(s.file, s.line, s.kind) for s in found.sites}


def test_a_model_that_returns_log_probabilities_is_part_of_its_nll_loss(tmp_path):
    text = "import torch.nn.functional as F\ndef forward(x):\n    out = F.log_softmax(x, dim=1)\n    return out\n"
    train = "F.nll_loss(forward(x), y).backward()\n"
    assert [s.kind for s in scanned(tmp_path, {"a.py": text + train}).sites] == ["call"]
    assert [s.kind for s in scanned(tmp_path, {"a.py": text}).sites] == ["look"]


def test_unreadable_files_are_named(tmp_path):
    found = scanned(
        tmp_path,
        {
            "py2.py": "import torch\nprint 'x'\nc = torch.nn.CrossEntropyLoss()\n",
            "bad.py": "from torch.nn import CrossEntropyLoss\ndef f(:\n",
            "bin.py": b"\x00\x01CrossEntropyLoss",
            "huge.py": b"# CrossEntropyLoss\n" + b"#" * 2_100_000,
            "latin.py": "# -*- coding: latin-1 -*-\nimport torch.nn as nn\nc = nn.CrossEntropyLoss()  # é\n".encode(
                "latin-1"
            ),
            "old.py": "import torch.nn as nn\nx = y.cuda(async=True)\nc = nn.CrossEntropyLoss()\n",
        },
    )
    assert {name: problem.split(" ")[0] for name, problem in found.unreadable.items()} == {
        "py2.py": "Python", "bad.py": "syntax", "bin.py": "binary", "huge.py": "too",
    }  # fmt: skip
    assert list(found.notes) == ["old.py"]
    assert [(s.file, s.line) for s in found.sites if s.kind == "construction"] == [("latin.py", 3), ("old.py", 3)]
    assert [(s.file, s.line) for s in found.sites if s.kind == "look"] == [("py2.py", 3)]


def test_nothing_is_executed_and_nothing_outside_is_read(tmp_path):
    repo = tmp_path / "repo"
    code = "import torch\nopen('ran', 'w')\nraise SystemExit(5)\nc = torch.nn.CrossEntropyLoss()\n"
    (tmp_path / "outside.py").write_text(code)
    repo.mkdir()
    os.symlink(repo, repo / "loop")
    os.symlink(tmp_path / "outside.py", repo / "linked.py")
    os.symlink(tmp_path, repo / "up")
    os.mkfifo(repo / "pipe.py")
    before = sorted(os.listdir(tmp_path))
    found = scanned(repo, {"a.py": code, "venv/pyvenv.cfg": "", "venv/lib.py": code, ".git/hook.py": code})
    assert [s.file for s in found.sites] == ["a.py"]
    assert sorted(os.listdir(tmp_path)) == before
    assert not (Path.cwd() / "ran").exists()


# The ten thousand are slow; a tenth of them is counted the same way.
@pytest.mark.parametrize("folders", [10, pytest.param(100, marks=pytest.mark.slow)])
def test_ten_thousand_files_take_seconds(folders, tmp_path):
    text = "import torch\nfrom torch import nn\n" + "def helper(a, b):\n    return a + b\n\n" * 40
    for i in range(folders):
        folder = tmp_path / f"d{i}"
        folder.mkdir()
        for j in range(100):
            (folder / f"m{j}.py").write_text(
                text + ("criterion = nn.CrossEntropyLoss()\n" if j == 0 else "criterion(1, 2)\n" if j == 1 else "")
            )
    start = time.process_time()
    found = scan(tmp_path.resolve())
    assert time.process_time() - start < 20
    assert found.files == 100 * folders
    assert sum(s.kind == "construction" for s in found.sites) == folders


def test_the_command_prints_a_table_and_json(tmp_path, capsys):
    import json

    (tmp_path / "a.py").write_text("import torch\nloss = torch.nn.functional.cross_entropy(a, b)\nloss.backward()\n")
    assert main(["retrofit", "scan", str(tmp_path)]) == 0
    assert "a.py:2" in (text := capsys.readouterr().out)
    assert "1 Python files, 1 places" in text
    assert main(["retrofit", "scan", str(tmp_path), "--json", "--skip", "a.py:2"]) == 0
    (site,) = json.loads(capsys.readouterr().out)["sites"]
    assert (site["action"], site["reason"]) == ("leave", "--skip a.py:2")
    assert main(["retrofit", "scan", str(tmp_path / "no")]) == 1
    assert "no such folder" in capsys.readouterr().err
    assert main(["retrofit", "skan"]) == 1
    assert "did you mean 'scan'?" in capsys.readouterr().err


def test_machine_written_code_is_taken_as_it_comes(tmp_path):
    head = "import torch.nn.functional as F\n"
    branches = "".join(f"elif x == {i}:\n    l = F.cross_entropy(a, b)\n" for i in range(100))
    found = scanned(
        tmp_path,
        {
            "sum.py": f"{head}F.cross_entropy({'+'.join('a' * 900)}, b).backward()\n",
            "branches.py": f"{head}if x:\n    l = F.cross_entropy(a, b)\n{branches}l.backward()\n",
        },
    )
    assert [s.action for s in found.sites] == ["replace"] * 102
    assert found.sites[-1].expression.startswith("F.cross_entropy(a+a")


@pytest.mark.parametrize("line", ["except ValueError, e:\n    pass", "raise ValueError, 'x'", "exec 'x'"])
def test_every_python_2_file_is_named_though_it_mentions_no_loss(tmp_path, line):
    text = f"try:\n    pass\n{line}\n" if line.startswith("except") else f"{line}\n"
    (tmp_path / "old.py").write_text(text)
    assert scan(tmp_path.resolve()).unreadable == {"old.py": "Python 2"}


def test_what_an_attribute_alone_calls_a_loss_has_no_role(tmp_path):
    (tmp_path / "a.py").write_text(
        "from torch import nn\nclass A:\n    def __init__(self):\n        self.loss = nn.CrossEntropyLoss()\n"
    )
    (tmp_path / "mae.py").write_text(
        "class MAE:\n    def __init__(self, head):\n        self.loss = head\n"
        "    def train_step(self, x, y):\n        return self.loss(x, y)\n"
    )
    sites = {site.file: site for site in scan(tmp_path.resolve()).sites if site.kind == "call"}
    assert (sites["mae.py"].role, sites["mae.py"].action) == ("", "look")


RATIO = """
import torch
from torch import nn


class ratio(nn.Module):
    def forward(self, input, target):
        p = torch.nn.functional.softmax(input, dim=1)[range(len(target)), target]
        return torch.log((1 - p) ** 0.5 / p + 1e-7).mean()


def attention(q, k):
    return (q @ k).softmax(-1), torch.log(q)
"""


def test_a_loss_written_from_softmax_is_pointed_at(tmp_path):
    found = scanned(tmp_path, {"ratio.py": RATIO})
    (site,) = found.sites
    assert (site.line, site.kind, site.expression) == (7, "look", "def forward")
    assert "written out by hand" in site.reason


def test_timms_loss_of_several_views_is_refused_where_it_is_built(tmp_path):
    found = scanned(tmp_path, {"views.py": "from timm.loss import JsdCrossEntropy\nloss = JsdCrossEntropy()\n"})
    (site,) = found.sites
    assert (site.kind, site.action, "no exact counterpart" in site.reason) == ("construction", "refuse", True)


def test_a_class_that_is_called_with_its_options_in_position_is_no_call_of_a_criterion(tmp_path):
    head = "from torch import nn\nkind = nn.NLLLoss if log else nn.CrossEntropyLoss\n"
    found = scanned(
        tmp_path, {"run.py": head + "def train(x, y):\n    crit = kind(w, None)\n    crit(x, y).backward()\n"}
    )
    assert [site.line for site in found.sites if site.kind == "call" and site.line == 4] == []


def test_training_is_left_where_evaluation_is_asked_for(tmp_path):
    text = "import torch\ndef train(x, y):\n    torch.nn.functional.cross_entropy(x, y).backward()\n"
    (site,) = scanned(tmp_path, {"a.py": text}, phase="eval").sites
    assert (site.action, site.reason.endswith("; --phase eval")) == ("leave", True)
