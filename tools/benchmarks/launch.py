"""What starting cells costs: a study of thousands of stub cells planned, scheduled and looked at; Ray beside local."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from finegrained_crl.crossval import launch as local
from finegrained_crl.crossval import processes
from finegrained_crl.crossval.launch import Launcher
from finegrained_crl.crossval.machine import Machine
from finegrained_crl.crossval.study import Study, StudyFolder
from finegrained_crl.training import committed
from finegrained_crl.training.recipe import Component, Recipe

summary = "what starting cells costs: planning, scheduling, status, Ray"
SLEEPER = """
import pathlib, sys, time
from finegrained_crl.training import committed
out = pathlib.Path(sys.argv[sys.argv.index("--out") + 1])
out.mkdir(parents=True, exist_ok=True)
time.sleep({seconds})
(out / "results.json").write_text("{{}}")
committed.commit(out)
"""
FINDER = """
import importlib.util, sys
if importlib.util.find_spec("finegrained_crl"):
    from finegrained_crl.crossval import processes
    processes.python = lambda module, *words: [sys.executable, "-S", {sleeper!r}, *words]
    processes.processes = lambda threads, gpus: processes.FreshProcesses(threads)
"""


class Ended:
    """A cell that took a second in no time."""

    returncode = 0

    def poll(self):
        return 0

    def wait(self, _timeout=None):
        return 0

    terminate = kill = poll


class Instant:
    """Commits each cell when it is started, and counts how long that took: it is not the launcher's time."""

    def __init__(self):
        self.seconds = 0.0

    def start(self, words, **_how):
        begun = time.perf_counter()
        commit(Path(words[words.index("--out") + 1]))
        self.seconds += time.perf_counter() - begun
        return Ended()

    def wait_for_end(self, _seconds):
        pass


def commit(out):
    """What a finished run leaves, in least."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "results.json").write_text("{}")
    committed.commit(out)


def main(argv):
    """Measure, and print JSON."""
    parser = argparse.ArgumentParser(prog="benchmark.py launch", description=summary)
    parser.add_argument("--cells", type=int, default=10000)
    parser.add_argument("--jobs", type=int, default=8, help="stub cells side by side")
    parser.add_argument("--ray", action="store_true", help="also 40 sleeping cells by Ray and local, interleaved")
    parser.add_argument("--seconds", type=float, default=1.0, help="that each of those sleeps")
    parser.add_argument("--rounds", type=int, default=2)
    parsed = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="fgcrl-launch-") as place:
        print(json.dumps(schedule(Path(place) / "study", parsed.cells, parsed.jobs), indent=2), flush=True)
        if parsed.ray:
            print(json.dumps(beside_ray(Path(place), parsed.seconds, parsed.rounds), indent=2))
    return 0


def schedule(place, cells, jobs):
    """Plan, run and look at a study."""
    folder = StudyFolder(place)
    begun = time.perf_counter()
    study = folder.write(study_of(cells))
    planned = time.perf_counter() - begun
    before, starter = status_seconds(place), Instant()
    begun = time.perf_counter()
    launcher = Launcher(folder, study, Machine(jobs, device="cpu"), starter, lambda *_: None, lambda: None)
    launcher.run()
    seconds = time.perf_counter() - begun
    return {
        "cells": len(study.cells),
        "done": sum(status.state == "done" for status in launcher.status.values()),
        "planning_ms_per_cell": 1000 * planned / cells,
        "scheduling_ms_per_cell": 1000 * (seconds - starter.seconds) / cells,
        "stub_ms_per_cell": 1000 * starter.seconds / cells,
        "status_seconds_untouched": before,
        "status_seconds_finished": status_seconds(place),
    }


def study_of(cells):
    """Twenty variants, five folds and seeds for the rest."""
    variants = {f"crl lr={i}": Recipe(data="x", loss=Component("crl")) for i in range(20)}
    return Study(variants, [0, 1, 2, 3, 4], [*range(max(1, cells // 100))], 1)


def status_seconds(place):
    """Of `fgcrl status` in a process of its own, all of it; the best of three."""
    seconds = []
    for _ in range(3):
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-m", "finegrained_crl", "status", str(place)], check=True, capture_output=True)
        seconds.append(time.perf_counter() - begun)
    return min(seconds)


def beside_ray(place, seconds, rounds):
    """Forty cells that sleep, two at a time, by Ray on this machine and by the local launcher."""
    (place / "finder").mkdir()
    (place / "sleeper.py").write_text(SLEEPER.format(seconds=seconds))
    (place / "finder" / "sitecustomize.py").write_text(FINDER.format(sleeper=str(place / "sleeper.py")))
    os.environ["PYTHONPATH"] = os.pathsep.join([str(place / "finder"), *(path for path in sys.path if path)])
    processes.python = lambda _module, *words: [sys.executable, "-S", str(place / "sleeper.py"), *words]
    local.available_cores = lambda: 2
    taken = {"local": [], "ray": [], "one cell": []}
    for turn in range(rounds):
        taken["one cell"].append(one_cell(place / f"cell{turn}"))
        for name in ("local", "ray"):
            taken[name].append(forty(place / f"{name}{turn}", name))
    best = {name: min(values) for name, values in taken.items()}
    ideal = 20 * best["one cell"]
    over = {f"{name}_overhead": best[name] / ideal - 1 for name in ("local", "ray")}
    return {"cells": 40, "side_by_side": 2, "seconds": taken, "ideal_seconds": ideal, **over}


def one_cell(out):
    """A cell's process alone, its start included."""
    begun = time.perf_counter()
    subprocess.run(processes.python("", "--out", str(out)), check=True)
    return time.perf_counter() - begun


def forty(place, launcher):
    """From the first cell's start to the last one's end: Ray's own start is of the cluster."""
    from finegrained_crl.crossval.ray_launcher import Cluster, RayLauncher

    folder, begun = StudyFolder(place), []
    variants = {"ce": Recipe(data="x", loss=Component("ce"))}
    study = folder.write(Study(variants, [None], [*range(40)], 1))

    def tell(_cell, status):
        begun.append(time.perf_counter())

    if launcher == "ray":
        RayLauncher(folder, study, Machine(device="cpu"), Cluster(share=0.0), tell, lambda: None).run()
    else:
        starter = processes.FreshProcesses(1)
        Launcher(folder, study, Machine(2, device="cpu"), starter, tell, lambda: None).run()
    return begun[-1] - begun[0]
