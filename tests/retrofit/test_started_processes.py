"""What a retrofitted program starts is reached: loader workers, forks, the ranks of a distributed run."""

import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest

from finegrained_crl.errors import FinegrainedError
from finegrained_crl.retrofit import retrofit


def test_workers_started_by_spawn_are_reached(workshop, same_bits):
    done = workshop.retrofit("--phase", "both", "--", "python", "spawn_loader.py", "out.pt")
    assert done.returncode == 0, done.stderr
    twin = workshop.edited()
    assert twin.forked("spawn_loader.py", "out.pt").returncode == 0
    assert same_bits(workshop.weights("out.pt"), twin.weights("out.pt"))
    counts = {site["site"]: (site["count"], site["processes"]) for site in workshop.receipt()["sites"]}
    assert counts == {"spawn_loader.py:19": (24, 1), "spawn_loader.py:27": (3, 1)}


def test_a_fork_that_ends_without_clean_up_is_counted(workshop, same_bits):
    assert workshop.retrofit("--", "python", "forked.py", "out.pt").returncode == 0
    assert workshop.receipt()["replaced_calls"] == 6
    twin = workshop.edited()
    assert twin.forked("forked.py", "out.pt").returncode == 0
    assert same_bits(workshop.weights("out.pt"), twin.weights("out.pt"))


# Six fresh processes; that those which a program starts are reached is the first test's.
@pytest.mark.slow
def test_both_ranks_of_a_distributed_run_are_reached(workshop, same_bits):
    words = ["--standalone", "--nproc-per-node", "2", "ddp.py", "out.pt"]
    done = workshop.retrofit("--", "torchrun", *words)
    assert done.returncode == 0, done.stderr
    twin = workshop.edited()
    assert twin.forked("-m", "torch.distributed.run", *words).returncode == 0
    assert same_bits(workshop.weights("out.pt"), twin.weights("out.pt"))
    (site,) = workshop.receipt()["sites"]
    assert (site["count"], site["processes"]) == (12, 2)


RESTLESS = """
import os, sys, tempfile, zipfile
import torch
if len(sys.argv) == 2:
    zipfile.ZipFile("code.zip", "w").write("step.py", "zipped.py")
    os.execv(sys.executable, [sys.executable, *sys.argv, "again"])
sys.path.insert(0, os.path.abspath("code.zip"))
sys.excepthook = lambda kind, error, trace: print("own hook:", kind.__name__)
os.chdir(tempfile.gettempdir())
import zipped
before = [parameter.detach().clone() for parameter in zipped.net.parameters()]
torch.nn.functional.cross_entropy(zipped.net(torch.ones(2, 4)), torch.tensor([2, 2])).backward()
zipped.optimizer.step()
torch._foreach_copy_([parameter.data for parameter in zipped.net.parameters()], before)
raise ValueError("over")
"""
STEP = """
import torch
net = torch.nn.Linear(4, 3)
optimizer = torch.optim.SGD(net.parameters(), 0.1)
for _ in range(3):
    loss = torch.nn.functional.cross_entropy(net(torch.ones(2, 4)), torch.tensor([0, 1]))
    loss.backward()
    optimizer.step()
"""


def test_a_program_may_replace_itself_move_about_and_import_from_an_archive(workshop):
    """What it trains last of all, and undoes, is seen when its process ends."""
    for name, text in (("restless.py", RESTLESS), ("step.py", STEP)):
        (workshop.folder / name).write_text(text)
    done = workshop.retrofit("--", "python", "restless.py", "first")
    assert (done.returncode, "own hook: ValueError" in done.stdout) == (1, True)
    sites = workshop.receipt()["sites"]
    assert [site["site"] for site in sites] == ["code.zip/zipped.py:6", "restless.py:12"]
    counted = [[site[name] for name in ("action", "count", "flowed", "updated")] for site in sites]
    assert counted == [["replace", 3, 3, 3], ["replace", 1, 1, 0]]


def test_processes_started_inside_a_block_share_its_receipt(tmp_path):
    program = tmp_path / "step.py"
    program.write_text(STEP)
    code = compile(STEP, str(program), "exec")
    before = [os.environ.get(name) for name in ("PYTHONPATH", "FGCRL_RETROFIT")]
    with retrofit(root=tmp_path) as receipt:
        exec(code, {})
        if (pid := os.fork()) == 0:
            try:
                exec(code, {})
            finally:
                os._exit(0)
        os.waitpid(pid, 0)
        subprocess.run([sys.executable, str(program)], check=True)
    assert [os.environ.get(name) for name in ("PYTHONPATH", "FGCRL_RETROFIT")] == before
    (site,) = receipt.sites
    assert (site["site"], site["action"], site["processes"]) == ("step.py:6", "replace", 3)
    assert [site[name] for name in ("count", "flowed", "updated")] == [9, 9, 9]
    assert not receipt.problems


def test_the_ledgers_of_a_block_go_with_it_and_not_with_a_fork_of_it():
    with retrofit() as receipt:
        pass
    folder = Path(receipt._settings.folder)
    if (pid := os.fork()) == 0:
        del receipt
        gc.collect()
        os._exit(0)
    os.waitpid(pid, 0)
    assert folder.is_dir()
    del receipt
    gc.collect()
    assert not folder.exists()


def test_a_folder_for_receipts_that_can_not_be_made_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    with pytest.raises(FinegrainedError, match="set TMPDIR to one that can be written"):
        retrofit()
