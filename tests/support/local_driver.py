"""`python local_driver.py STUDY TERM JOBS`: a launcher of a study of stub cells, with leases of a few seconds."""

import sys
from pathlib import Path

from finegrained_crl.crossval.launch import Launcher
from finegrained_crl.crossval.machine import Machine
from finegrained_crl.crossval.processes import FreshProcesses
from finegrained_crl.crossval.study import StudyFolder
from finegrained_crl.crossval.worker import Worker
from finegrained_crl.training.interruption import Interrupted, Interruption


def main(study, term, jobs):
    folder = StudyFolder(Path(study))
    plan = folder.read()
    machine, worker = Machine(int(jobs), device="cpu"), Worker.here("local", float(term))
    try:
        with Interruption(), FreshProcesses(1) as starter:
            launcher = Launcher(folder, plan, machine, starter, say, lambda: None, worker=worker)
            launcher.run()
    except Interrupted as stop:
        return 128 + stop.signal
    return 1 if launcher.failed else 0


def say(cell, status):
    print(cell.name, status.state, status.reason, flush=True)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
