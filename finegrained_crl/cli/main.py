"""The `fgcrl` command: finds the sub-command's module and turns what a user can fix into one line and exit code 1.

A sub-command is one module of this package with `summary` (one line), `example` (one command) and `main(argv) -> int`.
"""

from __future__ import annotations

import importlib
import io
import os
import signal
import sys
from collections.abc import Sequence
from types import ModuleType

from finegrained_crl.cli.ranks import is_first_to_say
from finegrained_crl.errors import FinegrainedError, nearest

COMMANDS = (
    "finetune",
    "crossval",
    "tune",
    "status",
    "probe",
    "report",
    "compare",
    "runs",
    "power",
    "predict",
    "evaluate",
    "export",
    "push",
    "explain",
    "verify",
    "retrofit",
    "data",
    "recipe",
    "list",
    "plot",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one sub-command.

    Args:
        argv: words after `fgcrl`; None: those of this process.
    Returns:
        the exit code: 0 fine, 1 an error that the user can fix.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names of files need not be UTF-8, nor need the terminal
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ("-h", "--help", "help"):
        return _help(words[1:])
    if words[0] == "--version":
        from finegrained_crl import __version__

        print(f"fgcrl {__version__}")
        return 0
    return run_command(words[0], words[1:])


def run_command(name: str, argv: list[str]) -> int:
    """Run a sub-command; also what the scripts in tools/ call."""
    try:
        return int(_command(name).main(argv))
    except FinegrainedError as error:
        if is_first_to_say(str(error)):
            print(f"fgcrl {name}: error: {error}", file=sys.stderr, flush=True)
        return 1
    except SystemExit as stop:  # argparse has printed a help text
        return int(stop.code or 0)
    except KeyboardInterrupt as stop:
        advice = getattr(stop, "advice", "")
        print(f"fgcrl {name}: interrupted" + (f": {advice}" if advice else ""), file=sys.stderr)
        return 128 + getattr(stop, "signal", signal.SIGINT)
    except BrokenPipeError:
        # The reader of our output went away (`fgcrl list | head`): not an error, but Python would complain once more at
        # exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        # A name too long, a folder that went away, a full disk under a library that writes by itself.
        where = f" {error.filename}" if error.filename else ""
        print(f"fgcrl {name}: error:{where}: {error.strerror or error}", file=sys.stderr)
        return 1


def _command(name: str) -> ModuleType:
    if name not in COMMANDS:
        raise FinegrainedError(f"no such command; {nearest(name, COMMANDS)}")
    return importlib.import_module(f"finegrained_crl.cli.{name}")


def _help(topic: list[str]) -> int:
    if topic:
        return run_command(topic[0], ["--help"])
    print("fgcrl: fine-grained and age-group classifiers with the Competing Ratio Loss\n\ncommands:")
    for name in COMMANDS:
        module = _command(name)
        print(f"  {name:10} {module.summary}\n             {module.example}")
    print("\n`fgcrl COMMAND --help` shows the options of one.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
