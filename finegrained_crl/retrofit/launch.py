"""Run a program as its author would, in its own processes, with PYTHONPATH as the only thing added.

The program is a child: `sys.argv`, `sys.path`, `__main__`, its tracebacks and its exit code are Python's own work.
Signals that we receive are passed on, and where the child dies of one, so do we.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from finegrained_crl.errors import FinegrainedError
from finegrained_crl.retrofit.reading.source import read_source
from finegrained_crl.retrofit.sites.settings import Settings

HOOK = Path(__file__).parent / "running" / "hook"
PASSED_ON = ("SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2")
PYTHON_VALUES = ("-W", "-X", "--check-hash-based-pycs")


def command_of(words: Sequence[str]) -> list[str]:
    """Complete a command line: `train.py` and `-m module` get our Python, `python` is our Python, launchers are looked
    up beside it.

    Args:
        words: what stands behind `--`.
    Raises:
        FinegrainedError: nothing is there, the command is unknown, or Python is told to ignore its environment.
    """
    if not words:
        raise FinegrainedError(
            "nothing to run; write the program behind --, for example: fgcrl retrofit run -- python train.py --lr 0.1"
        )
    first, rest = words[0], list(words[1:])
    if first == "-m" or first.endswith(".py"):
        command = [sys.executable, *words]
    elif Path(first).name == first and first.rstrip("0123456789.") == "python":
        command = [sys.executable, *rest]
    elif first == "torchrun":
        command = [sys.executable, "-m", "torch.distributed.run", *rest]
    else:
        here = os.path.dirname(sys.executable) + os.pathsep + os.environ.get("PATH", "")
        program = shutil.which(first, path=here)
        if program is None:
            raise FinegrainedError(
                f"'{first}' is no command here; write python train.py .., -m module .., torchrun .. or accelerate"
                " launch .."
            )
        command = [program, *rest]
    _refuse_isolation(command)
    return command


def script_of(command: Sequence[str]) -> Path | None:
    """The Python file that a command runs, where it names one."""
    return next((Path(word) for word in command[1:] if word.endswith(".py") and os.path.isfile(word)), None)


def with_old_main(command: Sequence[str]) -> list[str]:
    """Put our runner before a main script whose `async=` Python can't parse any more (shim old-torch)."""
    script = script_of(command)
    if script is None or not Path(command[0]).name.startswith("python"):
        return list(command)
    at = list(command).index(str(script)) if str(script) in command else 0
    source = read_source(script)
    if not at or not source.note or "-m" in command[:at]:
        return list(command)
    return [*command[:at], str(HOOK / "old_main.py"), *command[at:]]


def _refuse_isolation(command: Sequence[str]) -> None:
    if not Path(command[0]).name.startswith("python"):
        return
    words = iter(command[1:])
    for word in words:
        if not word.startswith("-") or word in ("-m", "-c", "-", "--"):
            return
        if word in PYTHON_VALUES:
            next(words, None)
        elif not word.startswith("--") and set("IES") & set(word[1:] if word[1] not in "WX" else ""):
            raise FinegrainedError(
                f"python {word} ignores PYTHONPATH or site, through which the losses are reached; leave {word} out"
            )


def environment(settings_file: Path) -> dict[str, str]:
    """The environment of the program: ours and the hook."""
    paths = [str(HOOK), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "FGCRL_RETROFIT": str(settings_file)}


@contextmanager
def reaching_children(settings_file: Path) -> Iterator[None]:
    """Let every Python that this process starts load the hook; forks have it anyway."""
    before = {name: os.environ.get(name) for name in ("PYTHONPATH", "FGCRL_RETROFIT")}
    os.environ.update(environment(settings_file))
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def run_program(command: Sequence[str], settings: Settings, folder: Path | None = None) -> int:
    """Run a command to its end.

    Args:
        command: completed by `command_of`.
        settings: written into `settings.folder` for the program's processes.
        folder: to run it in; None: here.
    Returns:
        the exit code; -N where it died of signal N.
    Raises:
        FinegrainedError: it can't be started.
    """
    file = Path(settings.folder) / "settings.config"
    settings.write(file)
    command = with_old_main(command) if "old-torch" in settings.shims else command
    with _signals_passed_on() as child:
        try:
            process = subprocess.Popen(command, env=environment(file), cwd=folder)
        except OSError as error:
            raise FinegrainedError(f"can't run {command[0]}: {error.strerror}") from error
        child.append(process)
        return process.wait()


@contextmanager
def _signals_passed_on() -> Iterator[list[subprocess.Popen]]:
    """Pass signals to the child. Ctrl-C reaches it by itself, as a member of the terminal's group; we only must outlive
    it.
    """
    child: list[subprocess.Popen] = []

    def pass_on(number: int, _: FrameType | None) -> None:
        for process in child:
            process.send_signal(number)

    def interrupt(number: int, _: FrameType | None) -> None:
        if not os.isatty(0):  # `kill -INT` to us alone: nobody else tells the child
            pass_on(number, None)

    handlers = {getattr(signal, name): pass_on for name in PASSED_ON if hasattr(signal, name)} | {
        signal.SIGINT: interrupt
    }
    # What is ignored (nohup, a background job) must stay so: the child inherits it.
    before = {
        n: signal.signal(n, handler) for n, handler in handlers.items() if signal.getsignal(n) is not signal.SIG_IGN
    }
    try:
        yield child
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def end_like(code: int) -> int:
    """Turn a child's code into ours; where a signal killed it, die of the same."""
    if code >= 0:
        return code
    sys.stdout.flush()
    sys.stderr.flush()
    if -code not in (signal.SIGKILL, signal.SIGSTOP):  # those two take no handler
        signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
    return 128 - code
