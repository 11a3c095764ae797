"""A retrofitted program sees, prints and returns what it would under plain Python."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from finegrained_crl.cli.main import main

MIRROR = """
import sys
import nturl2path  # nobody has imported it yet; in a fork somebody has imported torch
import torch
import torch.nn.functional as F
facts = dict(argv=sys.argv, path=sys.path, main=__name__, file=__file__, package=str(__package__),
             spec=str(getattr(__spec__, "name", None)),
             hook=sys.excepthook is sys.__excepthook__, doc=__doc__,
             main_is=sys.modules["__main__"].__dict__ is globals(),
             name=F.cross_entropy.__name__, module=F.cross_entropy.__module__,
             same=F.cross_entropy is torch.nn.functional.cross_entropy,
             site=str(sys.modules.get("sitecustomize", "none")))
import inspect
facts["source"] = inspect.getsource(F.cross_entropy)[:80]
facts["signature"] = str(inspect.signature(torch.nn.CrossEntropyLoss))
facts["repr"] = repr(torch.nn.CrossEntropyLoss())
scripted = torch.jit.script(torch.nn.CrossEntropyLoss())
import json
print(json.dumps(facts))
F.cross_entropy(torch.zeros(2, 3, requires_grad=True), torch.tensor([0, 1])).backward()
"""


WORDS = [["mirror.py", "--lr", "0.1", "--only", "x"], ["sub/mirror.py", "--", "-m"], ["-m", "sub.mirror", "a b"]]


@pytest.mark.parametrize("words", WORDS)
def test_the_program_finds_its_usual_world(workshop, words):
    check_world(workshop, words, workshop.forked, workshop.retrofit)


# A Python of its own for each; the fast one is the test above.
@pytest.mark.slow
@pytest.mark.parametrize("words", [*WORDS, ["-u", "sub/mirror.py", "--", "-m"]])
def test_the_program_finds_its_usual_world_in_a_fresh_process(workshop, words):
    check_world(workshop, words, workshop.python, workshop.fresh_retrofit)


def check_world(workshop, words, python, retrofit):
    (workshop.folder / "sub").mkdir()
    for path in ("mirror.py", "sub/mirror.py"):
        (workshop.folder / path).write_text(MIRROR)
    plain, ours = python(*words), retrofit("--", "python", *words)
    assert (plain.returncode, ours.returncode) == (0, 0), ours.stderr
    assert json.loads(ours.stdout) == json.loads(plain.stdout)


BROKEN = """
import torch, traceback
from torch import nn
criterion = nn.CrossEntropyLoss()
criterion(torch.zeros(2, 3, requires_grad=True), torch.tensor([0, 1])).backward()
try:
    nn.functional.nll_loss(torch.zeros(2, 3), torch.zeros(5, dtype=torch.long))
except ValueError:
    print(traceback.format_exc())
def step():
    return criterion(torch.zeros(2, 3), torch.tensor([0, 7]))
step()
"""


def test_tracebacks_are_those_of_plain_python_to_the_letter(workshop):
    (workshop.folder / "broken.py").write_text(BROKEN)
    plain, ours = workshop.forked("broken.py"), workshop.retrofit("--", "python", "broken.py")
    assert (plain.returncode, ours.returncode) == (1, 1)
    assert "IndexError: Target 7 is out of bounds" in plain.stderr
    assert ours.stderr.startswith(plain.stderr)
    assert ours.stdout == plain.stdout
    assert workshop.receipt()["replaced_calls"] == 1


@pytest.mark.parametrize(("ending", "code"), [("'gone'", 1), ("None", 3), ("258", 2), ("True", 1)])
def test_exit_codes_are_the_programs_own(workshop, ending, code):
    (workshop.folder / "ends.py").write_text(f"import sys\nsys.exit({ending})\n")
    plain, ours = workshop.python("ends.py"), workshop.fresh_retrofit("--", "ends.py")
    assert plain.returncode == (0 if code == 3 else code)
    assert ours.returncode == code  # a success without a replaced loss is no success
    assert ours.stderr.startswith(plain.stderr)


# Both go the same way; Ctrl-C is slow.
@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_a_signal_ends_both_alike_and_the_receipt_knows_what_happened_before(workshop, number):
    if signal.getsignal(number) == signal.SIG_IGN:
        pytest.skip("this process was started in the background of a shell: children ignore Ctrl-C too")
    (workshop.folder / "waits.py").write_text(
        "import torch, time\nz = torch.zeros(2, 3, requires_grad=True)\ntorch.nn.functional.cross_entropy(z,"
        " torch.tensor([0, 1])).backward()\nopen('ready', 'w').close()\ntime.sleep(100)\n"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(_environment())}
    command = [sys.executable, "-m", "finegrained_crl", "retrofit", "run", "--", "python", "waits.py"]
    process = subprocess.Popen(
        command, cwd=workshop.folder, env=env, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    for _ in range(600):
        if (workshop.folder / "ready").exists():
            break
        time.sleep(0.1)
    process.send_signal(number)
    assert process.wait(timeout=60) == -number
    assert (workshop.receipt()["exit_code"], workshop.receipt()["replaced_calls"]) == (-number, 1)


def _environment():
    root = Path(__file__).parents[2]
    return [str(root), str(root / "plugins"), str(root / "datasets")]


def test_an_existing_sitecustomize_still_runs(workshop):
    (workshop.folder / "site").mkdir()
    (workshop.folder / "site" / "sitecustomize.py").write_text("import builtins\nbuiltins.from_site = __name__\n")
    (workshop.folder / "asks.py").write_text("print(from_site)\n")
    done = subprocess.run(
        [sys.executable, "-m", "finegrained_crl", "retrofit", "run", "--", "python", "asks.py"],
        cwd=workshop.folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(workshop.folder / "site"), *_environment()])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "sitecustomize\n"
    assert "never imported torch" in done.stderr


def test_torch_that_a_sitecustomize_imports_is_reached(workshop, monkeypatch):
    (workshop.folder / "site").mkdir()
    (workshop.folder / "site" / "sitecustomize.py").write_text("import torch\n")
    # The command in this process, its program in a Python of its own: that is where torch comes so early.
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(workshop.folder / "site"), *_environment()]))
    monkeypatch.chdir(workshop.folder)
    assert main(["retrofit", "run", "--", "python", "functional.py", "out.pt"]) == 0
    assert workshop.receipt()["replaced_calls"] == 6


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "nothing to run"),
        (["--only", "train.py:0", "--", "x.py"], "'train.py:0' names no site"),
        (["--alpha", "-1", "--", "x.py"], "--alpha must be at least 0, got -1.0"),
        (["--shims", "cpo", "--", "x.py"], "unknown shim 'cpo': did you mean 'cpu'?"),
        (["--profile", "dcll", "--", "x.py"], "unknown profile 'dcll': did you mean 'dcl'?"),
        (["--loss", "fokal", "--", "x.py"], "unknown loss 'fokal': did you mean 'focal'?"),
        (["--loss", "nllr", "--beta", "2", "--", "x.py"], "--beta belongs to CRL"),
        (["--receipt", "no/where.json", "--", "x.py"], "can't write there"),
        (["--", "nosuchcommand"], "'nosuchcommand' is no command here"),
        (["--", "python", "-I", "x.py"], "python -I ignores PYTHONPATH"),
    ],
)
def test_a_mistake_is_one_line(words, message, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert main(["retrofit", "run", *words]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_a_program_killed_for_good_ends_us_the_same_way(workshop):
    done = workshop.python("-c", "from finegrained_crl.retrofit.launch import end_like; end_like(-9)")
    assert (done.returncode, done.stderr) == (-signal.SIGKILL, "")
