"""Runs of every method and option, and studies, interrupted at random moments, must end as the undisturbed ones: byte
for byte.

    python tests/attacks/kills.py --kills 150 --seed 0

A run is forked from a process that has the libraries loaded, sent SIGINT, SIGTERM or SIGKILL somewhere, gone on with
by `--resume` (a study by its command), interrupted again up to three times, and finished. One line per run; exit code 1
where one differs, is stuck or speaks in tracebacks.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "plugins"), str(ROOT / "datasets")]
os.environ.setdefault("OMP_NUM_THREADS", "1")

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
STUCK_SECONDS = 240
COMMON = [
    "--weights",
    "none",
    "--image-size",
    "32",
    "--batch-size",
    "8",
    "--lr",
    "0.01",
    "--epochs",
    "3",
    "--device",
    "cpu",
    "--workers",
    "0",
]
SMALL_DCL = "--method dcl --backbone test_resnet --image-size 64 --method.grid 2"
CASES = {
    "resnet, validated": "--backbone test_resnet --val-fraction 0.25",
    "resnet, accumulated with a remainder": "--backbone test_resnet --batch-size 5 --accumulate 3",
    "resnet, averaged weights, mixup": "--backbone test_resnet --ema 0.9 --mixup 0.4 --val-fraction 0.25",
    "resnet, stopped early": "--backbone test_resnet --early-stopping 1 --val-fraction 0.25 --epochs 6",
    "resnet, dropout, last batch kept": "--backbone test_resnet --drop-rate 0.3 --drop-last false --batch-size 7",
    "resnet, two workers, accumulated": "--backbone test_resnet --workers 2 --accumulate 2 --batch-size 7",
    "resnet, pictures in memory": "--backbone test_resnet --crop-scale 1 --pad 2 --data-in memory",
    "bcnn": "--method bcnn --backbone test_resnet --epochs 2",
    "bcnn, cached stage": (
        "--method bcnn --backbone test_resnet --epochs 1 --method.stage1-epochs 3 --method.cached-views 2"
    ),
    "dfl": "--method dfl --backbone test_resnet --image-size 64 --epochs 2",
    "dcl": SMALL_DCL,
    "dcl, two workers, averaged": f"{SMALL_DCL} --workers 2 --ema 0.9",
    "adience": "--method adience --backbone test_resnet --loss dldl",
    "centre loss, classes drawn evenly": "--backbone test_resnet --loss center --class-balanced",
    "study": "--backbone test_resnet --losses ce crl --seeds 0 1 --jobs 2 --split test --epochs 2",
    "study, one after the other": "--backbone test_resnet --losses ce crl --seeds 0 --split test --val-fraction 0.25",
}
COMPARED = ("results.json", "predictions.parquet", "checkpoints/*.safetensors")
COMPARED_OF_CELLS = tuple(f"cells/*/{kind}" for kind in COMPARED)


@dataclass
class Outcome:
    """What became of one interrupted run.

    Attributes:
        signals: those that reached it while it ran, in order.
        problems: what is wrong, one line each.
    """

    signals: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def make_pictures(root: Path) -> Path:
    """Three classes of ten pictures for training and four for the test, 40 px, as an image folder."""
    import numpy as np
    from PIL import Image

    pixels = np.random.default_rng(0)
    for split, count in (("train", 10), ("test", 4)):
        for label, name in enumerate(("left", "middle", "right")):
            folder = root / split / name
            folder.mkdir(parents=True)
            for i in range(count):
                picture = pixels.integers(0, 120, (40, 40, 3), dtype=np.uint8)
                picture[10:30, 2 + 13 * label : 12 + 13 * label] += 120
                Image.fromarray(picture).save(folder / f"{i}.png")
    return root


def preload() -> None:
    """Import what a run imports, so that a fork starts at once."""
    import albumentations  # noqa: F401
    import pyarrow.parquet  # noqa: F401
    import timm.optim
    import timm.scheduler
    import timm.utils  # noqa: F401
    import torch
    from torch.utils.tensorboard import SummaryWriter  # noqa: F401

    import finegrained_crl.cli.finetune
    import finegrained_crl.training.loop
    import finegrained_crl.training.results
    import finegrained_crl.training.session  # noqa: F401
    from finegrained_crl import discovery

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    discovery.methods()
    discovery.datasets()


def start(words: list[str], log: Path) -> int:
    """Fork a process that runs `fgcrl` with these words; its id."""
    process = os.fork()
    if process:
        return process
    code = 70
    try:
        os.setpgid(0, 0)
        handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(handle, 1)
        os.dup2(handle, 2)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        from finegrained_crl.cli.main import main

        code = main(words)
    except KeyboardInterrupt:
        code = 128 + signal.SIGINT  # before `fgcrl` itself had begun
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def wait(process: int, seconds: float) -> int | None:
    """The exit code of a process, negative for a signal; None where it still runs after so many seconds."""
    end = time.monotonic() + seconds
    while True:
        done, status = os.waitpid(process, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() >= end:
            return None
        time.sleep(0.003)


def ended(process: int) -> int | None:
    """The exit code of a process that is about to end; None, and the process killed, where it is stuck."""
    code = wait(process, STUCK_SECONDS)
    if code is None:
        os.killpg(process, signal.SIGKILL)
        os.waitpid(process, 0)
    return code


def interrupt(words: list[str], log: Path, number: signal.Signals, after: float, group: bool) -> tuple[bool, str]:
    """Run, send a signal after some seconds; whether it came in time, and what is wrong with how the run ended."""
    process = start(words, log)
    code = wait(process, after)
    if code is not None:
        return False, "" if code == 0 else f"exit code {code} before any signal"
    # A terminal and a launcher send a signal to all processes of a run.
    (os.killpg if group and os.getpgid(process) == process else os.kill)(process, number)
    code = ended(process)
    if code is None:
        return True, f"stuck after {number.name}"
    return True, "" if code in (0, -number, 128 + number) else f"exit code {code} after {number.name}"


def disturbed(words: list[str], whole: Path, out: Path, seconds: float, chance: random.Random) -> Outcome:
    """Interrupt a run one to four times, finish it, compare it with the undisturbed one.

    Args:
        words: of `fgcrl finetune` or `fgcrl crossval`.
        whole: folder of the undisturbed run.
        out: folder for this one.
        seconds: that the undisturbed one took.
        chance: decides on signals, moments and time between checkpoints.
    """
    outcome, log = Outcome(), out.with_suffix(".log")
    goes_on = ["--resume"] if words[0] == "finetune" else []
    how = ["--checkpoint-seconds", chance.choice(("0", "0.2", "9999")), *goes_on, "--out", str(out)]
    for _ in range(chance.choice((1, 1, 2, 4))):
        number, after = chance.choice(SIGNALS), chance.uniform(0, 1.05) * seconds
        in_time, problem = interrupt([*words, *how], log, number, after, chance.random() < 0.3)
        outcome.signals += [number.name] * in_time
        outcome.problems += [problem] * bool(problem)
    code = ended(start([*words, *how], log))
    if code != 0:
        outcome.problems.append("stuck at the end" if code is None else f"exit code {code} at the end")
    said = log.read_text(errors="replace")
    if "Traceback" in said:
        outcome.problems.append("a traceback")
    outcome.problems += differences(whole, out)
    if outcome.problems:
        outcome.problems.append(said[-2500:])
    return outcome


def differences(whole: Path, out: Path) -> list[str]:
    """Files of two runs, or studies, that are not the same bytes."""
    kinds = (*COMPARED, *COMPARED_OF_CELLS)
    names = {path.relative_to(folder) for folder in (whole, out) for kind in kinds for path in folder.glob(kind)}
    there = {name for name in names if (out / name).is_file() and (whole / name).is_file()}
    equal = {name for name in there if (out / name).read_bytes() == (whole / name).read_bytes()}
    return [f"{name} differs" for name in sorted(names - equal)]


class Kills:
    """Rounds of interrupted runs over some cases.

    Args:
        folder: for pictures and runs.
        seed: of everything that is random.
        only: take the cases whose name holds this.
    """

    def __init__(self, folder: Path, seed: int, only: str = "") -> None:
        self.folder, self.chance = folder, random.Random(seed)
        self.cases = [(name, text.split()) for name, text in CASES.items() if only in name]
        self.data = ["--data", str(make_pictures(folder / "pictures"))]
        self.seconds: dict[str, float] = {}
        self.counts = dict.fromkeys((number.name for number in SIGNALS), 0)
        self.runs = self.bad = 0

    def run(self, kills: int) -> int:
        """Interrupt runs until so many signals have come in time; the number of runs that are not equal."""
        while sum(self.counts.values()) < kills:
            name, words = self.cases[self.runs % len(self.cases)]
            outcome = self.one(name, words)
            self.runs, self.bad = self.runs + 1, self.bad + bool(outcome.problems)
            for number in outcome.signals:
                self.counts[number] += 1
            verdict = "; ".join(outcome.problems) or "equal"
            print(f"{name}: {' '.join(outcome.signals) or 'no signal in time'}: {verdict}", flush=True)
        told = ", ".join(f"{count} {name}" for name, count in self.counts.items())
        print(f"{self.runs} runs, {sum(self.counts.values())} signals ({told}): {self.bad} not equal or stuck")
        return self.bad

    def one(self, name: str, words: list[str]) -> Outcome:
        """One interrupted run beside its undisturbed one."""
        verb, common = ("crossval", COMMON[:-2]) if name.startswith("study") else ("finetune", COMMON)
        command = [verb, *self.data, *common, *words]
        place = self.folder / str(len(name)) / name.replace(" ", "_")
        place.mkdir(parents=True, exist_ok=True)
        if name not in self.seconds:
            began = time.monotonic()
            if ended(start([*command, "--out", str(place / "whole")], place / "whole.log")) != 0:
                return Outcome(problems=["does not train", (place / "whole.log").read_text()[-2500:]])
            self.seconds[name] = time.monotonic() - began
        outcome = disturbed(command, place / "whole", place / "run", self.seconds[name], self.chance)
        shutil.rmtree(place / "run", ignore_errors=True)
        (place / "run.log").unlink()
        return outcome


def main(argv: list[str] | None = None) -> int:
    """Kill, compare, count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=150, help="signals to send [150]")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="cases whose name holds this")
    asked = parser.parse_args(argv)
    preload()
    with tempfile.TemporaryDirectory(prefix="kills-") as folder:
        return 1 if Kills(Path(folder), asked.seed, asked.only).run(asked.kills) else 0


if __name__ == "__main__":
    sys.exit(main())
