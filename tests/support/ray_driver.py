"""`python ray_driver.py STUDY ADDRESS`: the launcher of a study of stub cells, on a Ray cluster that is there."""

import sys
from pathlib import Path

from finegrained_crl.crossval.machine import Machine
from finegrained_crl.crossval.ray_launcher import Cluster, RayLauncher
from finegrained_crl.crossval.study import StudyFolder
from finegrained_crl.errors import FinegrainedError


def main(study, address):
    folder = StudyFolder(Path(study))
    cluster = Cluster(address, share=0.0)
    launcher = RayLauncher(folder, folder.read(), Machine(device="cpu"), cluster, say, lambda: None)
    try:
        launcher.run()
    except FinegrainedError as error:
        print(f"error: {error}", flush=True)
        return 1
    return 1 if launcher.failed else 0


def say(cell, status):
    print(cell.name, status.state, status.reason, flush=True)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
