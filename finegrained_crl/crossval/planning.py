"""Writing the plan of a study that several launchers may begin, or add to, at once."""

from __future__ import annotations

import time

from finegrained_crl.crossval.leases import End, Lease, LeaseFiles, Leases
from finegrained_crl.crossval.study import Study, StudyFolder
from finegrained_crl.crossval.worker import Heart, Worker

PLAN = "study.yaml"
"""What the lease is on; no cell has this name."""
POLL_SECONDS = 0.2


def write_plan(folder: StudyFolder, study: Study, worker: Worker | None = None) -> Study:
    """`StudyFolder.write`, one launcher at a time: of two that add to a plan, the second adds to what the first wrote.

    Args:
        folder: of the study.
        study: its plan.
        worker: who writes; None: this process.
    Returns:
        the study as it runs.
    Raises:
        FinegrainedError: what `StudyFolder.write` raises.
    """
    folder.check(study)  # before anything is written
    with Heart(LeaseFiles(folder.folder).workers, worker or Worker.here()) as heart:
        leases = Leases(folder.folder, heart)
        lease = _wait_for_plan(leases)
        try:
            return folder.write(study)
        finally:
            leases.end(lease, End("released"))


def _wait_for_plan(leases: Leases) -> Lease:
    while (lease := leases.claim(PLAN)) is None:
        time.sleep(POLL_SECONDS)
    return lease
