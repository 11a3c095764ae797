"""Cells in processes of their own: both ways of starting them keep the same promises."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from finegrained_crl.crossval import fork_server
from finegrained_crl.crossval.processes import ForkedProcesses, FreshProcesses, environment, processes

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks are for Linux")
ENDS = ("", "\nsys.exit(3)", "\nsys.exit('reason')")

# Stands for the `fgcrl` command in the processes that are started: it runs its word as a program.
STAND_IN = """
import sys

def main(words):
    names = {"tries": sys.modules.setdefault("tries", type(sys)("tries"))}
    exec(words[0], names)
    return names.get("code", 0)
"""


MAIN = """
import sys
from finegrained_crl.cli.main import main

sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """A package `finegrained_crl` with the true processes, without libraries, and with the command that stands in."""
    package, source = tmp_path / "package" / "finegrained_crl", Path(fork_server.__file__).parent
    for part in (".", "cli", "crossval"):
        (package / part).mkdir(parents=True, exist_ok=True)
        (package / part / "__init__.py").touch()
    (package / "cli" / "main.py").write_text(STAND_IN)
    (package / "__main__.py").write_text(MAIN)
    (package / "crossval" / "processes.py").write_text((source / "processes.py").read_text())
    text = (source / "fork_server.py").read_text()
    (package / "crossval" / "fork_server.py").write_text(text.replace("LIBRARIES = (", "LIBRARIES = () and ("))
    monkeypatch.chdir(package.parent)  # `python -m` looks there first
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)  # what is written may wait for the end


@pytest.fixture(params=[FreshProcesses, ForkedProcesses])
def started(request, stand_in, tmp_path):
    """Starts programs; (process, its log, its output)."""
    count = iter(range(100))
    with request.param(3) as starter:

        def start(program, **how):
            log, output = (tmp_path / f"{name}{next(count)}" for name in ("log", "output"))
            log.write_text("before\n")
            output.touch()
            return starter.start([program], log=log, output=output, **how), log, output

        start.starter = starter
        yield start


def until(happened):
    deadline = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_command_has_streams_of_its_own(started):
    program = "print('said'); print('complained', file=sys.stderr); print(repr(sys.stdin.read()))\nimport sys"
    process, log, output = started("import sys\n" + program)
    other, other_log, _ = started("import sys; sys.exit('no such luck')")
    assert (process.wait(60), other.wait(60)) == (0, 1)
    assert (process.returncode, other.poll()) == (0, 1)
    assert output.read_text() == "said\n''\n"
    assert log.read_text() == "before\ncomplained\n"
    assert other_log.read_text() == "before\nno such luck\n"


def test_the_exit_code_is_the_commands(started):
    assert [started(f"code = {code}")[0].wait(60) for code in (0, 1, 130)] == [0, 1, 130]


def test_threads_are_waited_for_and_what_is_to_be_done_at_the_end_is_done(started):
    later = "threading.Thread(target=lambda: (time.sleep(0.1), print('thread'))).start()"
    ends = [
        started(f"import atexit, sys, threading, time\natexit.register(print, 'end'); {later}{end}") for end in ENDS
    ]
    assert [process.wait(60) for process, _, _ in ends] == [0, 3, 1]
    assert [output.read_text() for _, _, output in ends] == ["thread\nend\n"] * 3
    assert ends[2][1].read_text() == "before\nreason\n"


def test_each_has_its_share_of_the_machine(started):
    process, _, output = started("import os; print(os.environ['OMP_NUM_THREADS'], os.environ['MKL_NUM_THREADS'])")
    assert process.wait(60) == 0
    assert output.read_text() == "3 3\n"


def test_each_has_an_environment_of_its_own(started):
    program = "import os; print(os.environ.get('CUDA_VISIBLE_DEVICES'))"
    commands = [started(program, own={"CUDA_VISIBLE_DEVICES": "4"}), started(program, own={})]
    assert [process.wait(60) for process, _, _ in commands] == [0, 0]
    assert [output.read_text() for _, _, output in commands] == ["4\n", f"{os.environ.get('CUDA_VISIBLE_DEVICES')}\n"]


def test_commands_know_nothing_of_each_other(started):
    program = "tries.count = getattr(tries, 'count', 0) + 1; print(tries.count)"
    commands = [started(program) for _ in range(3)]
    assert [process.wait(60) for process, _, _ in commands] == [0, 0, 0]
    assert [output.read_text() for _, _, output in commands] == ["1\n"] * 3


def test_commands_run_side_by_side(started, tmp_path):
    """Each waits for the other."""
    program = """
import pathlib, time
pathlib.Path({mine!r}).touch()
while not pathlib.Path({other!r}).exists():
    time.sleep(0.01)
"""
    one, other = (str(tmp_path / name) for name in ("one", "other"))
    pair = [started(program.format(mine=one, other=other)), started(program.format(mine=other, other=one))]
    assert [process.wait(60) for process, _, _ in pair] == [0, 0]


SLEEP = """
import signal, sys, time
{}
print('ready', flush=True)
while True:
    time.sleep(0.01)
"""


def test_an_end_wakes_who_waits_for_it(started):
    """The wait would outlast the test."""
    process, _, _ = started("import time; time.sleep(0.1)")
    while process.poll() is None:
        started.starter.wait_for_end(3600)
    assert process.returncode == 0


def test_a_command_is_asked_to_stop(started):
    process, _, output = started(SLEEP.format("signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))"))
    until(output.read_text)
    assert process.poll() is None
    process.terminate()
    assert process.wait(60) == 7


def test_a_command_is_killed(started):
    process, _, output = started(SLEEP.format("signal.signal(signal.SIGTERM, signal.SIG_IGN)"))
    other, _, other_output = started(SLEEP.format(""))
    until(lambda: output.read_text() and other_output.read_text())
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.05)
    process.kill()
    assert process.wait(60) == -signal.SIGKILL
    assert other.poll() is None
    other.terminate()
    assert other.wait(60) == -signal.SIGTERM


def test_a_terminals_interrupt_reaches_the_commands_alone(started):
    """Ctrl-C goes to every process of the group; who started the commands waits until they have saved."""
    process, _, output = started("import os\n" + SLEEP.format("print(os.getppid())"))
    until(lambda: output.read_text().count("\n") == 2)
    above = int(output.read_text().split()[0])
    if above != os.getpid():
        os.kill(above, signal.SIGINT)
        os.kill(above, signal.SIGTERM)
    process.terminate()
    assert process.wait(60) == -signal.SIGTERM
    assert started("code = 5")[0].wait(60) == 5


def test_a_lost_server_is_told_and_replaced(stand_in, tmp_path):
    (tmp_path / "log").touch()
    (tmp_path / "output").touch()
    with ForkedProcesses(1) as starter:
        process = starter.start([SLEEP.format("")], log=tmp_path / "log", output=tmp_path / "output")
        until((tmp_path / "output").read_text)
        starter.server.kill()
        assert process.wait(60) == -signal.SIGKILL
        process.terminate()
        assert starter.start(["code = 4"], log=tmp_path / "log").wait(60) == 4


LAUNCHER = """
import sys
sys.path.insert(0, ".")
from pathlib import Path
from finegrained_crl.crossval.processes import {way}

with {way}(1) as starter:
    starter.start([{program!r}], log=Path({log!r}), output=Path({output!r})).wait()
"""


def is_running(pid):
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.parametrize("way", ["FreshProcesses", "ForkedProcesses"])
def test_commands_end_with_who_started_them(way, stand_in, tmp_path):
    """A cell that outlived a killed launcher would keep its run folder from a restart."""
    for name in ("log", "output"):
        (tmp_path / name).touch()
    program = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"
    launcher = LAUNCHER.format(way=way, program=program, log=str(tmp_path / "log"), output=str(tmp_path / "output"))
    launcher = subprocess.Popen([sys.executable, "-c", launcher])
    until(lambda: (tmp_path / "output").read_text().endswith("\n"))
    cell = int((tmp_path / "output").read_text())
    launcher.kill()
    launcher.wait()
    until(lambda: not is_running(cell))


def test_what_lost_its_parent_already_ends(monkeypatch):
    asked, ended = [], []
    monkeypatch.setattr(fork_server.os, "_exit", ended.append)
    libc = SimpleNamespace(prctl=lambda *words: asked.append(words))
    fork_server.die_with(os.getppid(), libc)
    assert (asked, ended) == ([(1, signal.SIGKILL)], [])
    fork_server.die_with(os.getppid() + 1, libc)
    assert ended == [1]


def test_gpus_and_other_systems_get_fresh_processes(monkeypatch):
    assert isinstance(processes(2, ()), ForkedProcesses)
    assert isinstance(processes(2, ("0",)), FreshProcesses)
    monkeypatch.setattr(sys, "platform", "darwin")
    assert isinstance(processes(2, ()), FreshProcesses)


def test_a_share_of_the_machine():
    share = environment(2)
    assert (share["OMP_NUM_THREADS"], share["MKL_NUM_THREADS"], share["OPENBLAS_NUM_THREADS"]) == ("2", "2", "2")


def test_threads_that_wait_sleep_unless_told_otherwise(monkeypatch):
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    assert environment(2)["OMP_WAIT_POLICY"] == "PASSIVE"
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    assert environment(2)["OMP_WAIT_POLICY"] == "ACTIVE"
