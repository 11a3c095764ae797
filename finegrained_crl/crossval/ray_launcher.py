"""Cells as tasks of Ray Core, on the machines of a cluster or on this one.

A task claims its cell on the node where it runs and beats for it (one_cell.py), so that Ray decides where and when a
cell runs, and the lease whether. Ray's own retries are off: a task whose node died leaves a lease that falls silent,
and only then another one may begin.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any, ClassVar

from finegrained_crl.cores import available_cores
from finegrained_crl.crossval.apart import Bring
from finegrained_crl.crossval.launch import StudyLauncher
from finegrained_crl.crossval.leases import End, Lease, LeaseFiles, Leases
from finegrained_crl.crossval.machine import Machine
from finegrained_crl.crossval.one_cell import Order, run_one
from finegrained_crl.crossval.orders import Orders
from finegrained_crl.crossval.plan import Cell
from finegrained_crl.crossval.processes import processes
from finegrained_crl.crossval.study import Study, StudyFolder
from finegrained_crl.crossval.taking import Status
from finegrained_crl.crossval.worker import TERM_SECONDS, Heart, Worker
from finegrained_crl.errors import FinegrainedError
from finegrained_crl.training.interruption import SIGNALS

POLL_SECONDS = 0.2
MOST_DEATHS = 3
"""Tasks of one cell whose process or node died; more are a failure of the cell."""


@dataclass(frozen=True)
class Cluster:
    """Where Ray is.

    Attributes:
        address: of a cluster that is there ("auto", "host:6379", "ray://.."); "": this machine, for this study.
        scratch: folder of each node in which cells run; "": the study's own.
        bring: "shared": the nodes share the study's folder; else they don't, and what comes here of a cell is its
            "results", or its "weights" too (ray_apart.py).
        share: of a GPU that a cell takes, where the cluster has some; 0: none.
        term: seconds of silence after which a cell is anybody's.
    """

    address: str = ""
    scratch: str = ""
    share: float = 1.0
    term: float = TERM_SECONDS
    bring: Bring = "shared"


@dataclass(frozen=True)
class Job:
    """A cell that Ray has.

    Attributes:
        cell: which.
        over: number of its last lease, which is over; the task takes the next.
        shares: how many shares of the machine it has: more after it ran out of memory.
        lease: where the launcher has taken the cell itself.
    """

    cell: Cell
    over: int
    shares: int
    lease: Lease | None = None


def claim_and_run(order: Order, term: float) -> End | None:
    """Run a cell in the study's folder, on whatever node this is."""
    worker, starter = worker_here(term, order.threads, order.gpus > 0)
    with Heart(LeaseFiles(order.study).workers, worker) as beating:
        return run_one(order, Leases(order.study, beating, known={}), starter, own_paths())


class RayLauncher(StudyLauncher):
    """Runs what is missing of a study as tasks of Ray.

    Args:
        folder, study, tell, tick, orders: as for `StudyLauncher`.
        machine: how cells run; its jobs are Ray's business.
        cluster: where Ray is.
    """

    task_function: ClassVar[Callable[..., Any]] = staticmethod(claim_and_run)
    """What runs on a node."""

    def __init__(
        self,
        folder: StudyFolder,
        study: Study,
        machine: Machine,
        cluster: Cluster,
        tell: Callable[[Cell, Status], None],
        tick: Callable[[], None],
        *,
        orders: Orders | None = None,
    ) -> None:
        # This heart never beats: the launcher claims nothing itself, and only watches.
        heart = Heart(LeaseFiles(folder.folder).workers, Worker.here("ray", cluster.term))
        super().__init__(folder, study, machine, heart, tell, tick, orders=orders)
        self.cluster = cluster
        self.deaths: Counter[str] = Counter()
        self.shares: dict[str, int] = {}

    def run(self) -> None:
        """Run every cell that isn't done. On an error or Ctrl-C all tasks are cancelled: their cells save.

        Raises:
            FinegrainedError: no Ray, no such cluster, or the study was cancelled.
        """
        if all(status.state == "done" for status in self.status.values()):
            return
        jobs: dict[Any, Job] = {}
        with connected(self.cluster) as ray:
            self.task = ray.remote(self.task_function)
            self.gpus = self.cluster.share if ray.cluster_resources().get("GPU") else 0.0
            self.slots = _slots(ray, self.study.threads, self.gpus)
            try:
                while jobs or not self.taking.is_finished:
                    self.orders.check()
                    self._submit(jobs)
                    self._collect(ray, jobs)
                    self.taking.look()
                    self.tick()
            finally:
                _cancel(ray, list(jobs))

    def _submit(self, jobs: dict[Any, Job]) -> None:
        """As many tasks as run at once, and as many that wait beside them: a node that gets free need not ask."""
        while len(jobs) < 2 * self.slots:
            job = self.take()
            if job is None:
                return
            order = self.order(job)
            options = {"num_cpus": self.study.threads * (1 if order.gpus else job.shares), "num_gpus": order.gpus}
            task = self.task.options(max_retries=0, name=job.cell.name, **options)
            jobs[task.remote(order, *self.told(job))] = job
            self.taking.set(job.cell, Status("running"))

    def take(self) -> Job | None:
        """A cell that nobody has; its task will claim it."""
        free = self.taking.next_free()
        return free and Job(*free, self.shares.get(free[0].name, 1))

    def order(self, job: Job) -> Order:
        """What a task is to run."""
        # Loaders get what the cell's threads leave on a node; this machine's cores and cards say nothing of it.
        words = replace(self.machine, gpus=()).words(self.study.threads)
        study, gpus = self.folder.folder.absolute(), min(1.0, self.gpus * job.shares)
        return Order(study, job.cell.name, job.over, tuple(words), self.study.threads, gpus, self.cluster.scratch)

    def told(self, _job: Job) -> tuple[Any, ...]:
        """What a task is told beside its order."""
        return (self.cluster.term,)

    def _collect(self, ray: ModuleType, jobs: dict[Any, Job]) -> None:
        if not jobs:
            time.sleep(POLL_SECONDS)
            return
        ready, _ = ray.wait(list(jobs), num_returns=1, timeout=POLL_SECONDS)
        for reference in ready:
            job = jobs.pop(reference)
            try:
                self.settle(job, ray.get(reference))
            except ray.exceptions.OutOfMemoryError as error:
                self.settle(job, End("failed", f"out of memory: {_line(error)}"))
            except ray.exceptions.RayError as error:
                self.bury(job, error)

    def settle(self, job: Job, end: Any) -> None:
        """Note how a task ended (None: another worker has the cell); a cell that ran out of memory gets a larger share,
        up to a whole card or machine.
        """
        if end is None:
            self.taking.leave(job.cell)
        elif end.outcome == "failed" and "out of memory" in end.reason and job.shares < self._most_shares():
            self.shares[job.cell.name] = 2 * job.shares
            self.taking.try_again(job.cell)
        elif end.outcome == "released":
            self.taking.set(job.cell, Status())
            self.taking.waiting.append(job.cell)
        else:
            state: Any = "done" if end.outcome == "committed" else "failed"
            self.taking.set(job.cell, Status(state, end.seconds, end.reason))

    def bury(self, job: Job, error: Exception) -> None:
        """Note that a task died with its process or node: its lease says when the cell may run again."""
        self.deaths[job.cell.name] += 1
        if self.deaths[job.cell.name] < MOST_DEATHS:
            self.taking.leave(job.cell)
        else:
            self.taking.set(job.cell, Status("failed", reason=f"its worker died {MOST_DEATHS} times: {_line(error)}"))

    def _most_shares(self) -> int:
        return int(1 / self.gpus + 1e-9) if self.gpus else self.slots


def own_paths() -> dict[str, str]:
    """Of a cell's environment: where this process finds its modules."""
    return {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


@functools.cache
def worker_here(term: float, threads: int, has_gpus: bool) -> tuple[Worker, Any]:
    """Of this process of Ray, which runs task after task: its name, and what has the libraries loaded."""
    starter = processes(threads, ("of the task",) if has_gpus else ())
    return Worker.here("ray", term), starter.__enter__()


@contextlib.contextmanager
def connected(cluster: Cluster) -> Iterator[ModuleType]:
    """Ray, connected to the cluster; nothing is told to its makers.

    Raises:
        FinegrainedError: Ray is not installed, or there is no such cluster.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    try:
        import ray
    except ImportError:
        raise FinegrainedError("--launcher ray needs Ray: pip install 'finegrained-crl[ray]'") from None
    where: dict[str, Any] = {"address": cluster.address} if cluster.address else _this_machine()
    try:
        with _own_handlers():
            ray.init(**where, log_to_driver=False, logging_level=logging.ERROR, namespace="fgcrl")
    except (ConnectionError, ValueError, RuntimeError, TimeoutError) as error:
        raise FinegrainedError(f"no Ray cluster at {cluster.address or 'this machine'}: {_line(error)}") from None
    try:
        yield ray
    finally:
        ray.shutdown()


@contextlib.contextmanager
def _own_handlers() -> Iterator[None]:
    """Keep what this process does on signals: Ray puts in its own, with which cells could not save."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    if threading.current_thread() is threading.main_thread():
        for number, handler in before.items():
            signal.signal(number, handler)


def _this_machine() -> dict[str, Any]:
    return {"address": "local", "include_dashboard": False, "num_cpus": available_cores()}


def _slots(ray: ModuleType, threads: int, gpus: float) -> int:
    """Cells that the cluster runs at once.

    Raises:
        FinegrainedError: none, on no node.
    """
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    slots = sum(_fit(node, threads, gpus) for node in nodes)
    if not slots:
        needed = f"{threads} CPUs" + (f" and {gpus} GPUs" if gpus else "")
        raise FinegrainedError(
            f"no node of the Ray cluster has {needed}, which a cell of this study takes: begin the study with a larger"
            " --jobs (fewer threads for each cell), or add nodes"
        )
    return slots


def _fit(node: dict[str, float], threads: int, gpus: float) -> int:
    cells = int(node.get("CPU", 0.0) / threads)
    return min(cells, int(node.get("GPU", 0.0) / gpus + 1e-9)) if gpus else cells


def _cancel(ray: ModuleType, references: list[Any]) -> None:
    for reference in references:
        with contextlib.suppress(Exception):
            ray.cancel(reference, force=False)
    with contextlib.suppress(Exception):
        ray.wait(references, num_returns=len(references), timeout=PATIENCE_SECONDS)


PATIENCE_SECONDS = 40.0
"""For cells that save."""


def _line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
