"""Ray's launcher for nodes that don't share the study's folder: it takes the cells itself, sends each its recipe, and
writes what comes back through Ray's object store.
"""

from __future__ import annotations

from typing import Any, ClassVar

from finegrained_crl.crossval.apart import Bring, Delivery, run_apart, study_on_node, write_home
from finegrained_crl.crossval.leases import End, Lease, LeaseFiles, Leases
from finegrained_crl.crossval.one_cell import Order
from finegrained_crl.crossval.ray_launcher import Job, RayLauncher, own_paths, worker_here
from finegrained_crl.crossval.worker import Heart


def run_on_node(order: Order, recipe: str, bring: Bring, term: float) -> Delivery | None:
    """Run a cell on a node that does not see the study; its leases there keep two processes of the node apart."""
    worker, starter = worker_here(term, order.threads, order.gpus > 0)
    here = study_on_node(order, recipe)
    with Heart(LeaseFiles(here).workers, worker) as beating:
        return run_apart(order, recipe, bring, Leases(here, beating), starter, own_paths())


class ApartLauncher(RayLauncher):
    """`RayLauncher` for nodes that don't share the study's folder; its heart beats for the cells that Ray has."""

    task_function: ClassVar[Any] = staticmethod(run_on_node)

    def run(self) -> None:
        """Run every cell that isn't done; what Ray still has when this is stopped is given back.

        Raises:
            FinegrainedError: no Ray, no such cluster, a file that did not arrive whole, or the study was cancelled.
        """
        self.held: dict[str, Lease] = {}
        with self.heart:
            try:
                super().run()
            finally:
                for lease in self.held.values():
                    self.taking.leases.end(lease, End("released"))

    def take(self) -> Job | None:
        """A cell that is this launcher's now."""
        taken = self.taking.next()
        if taken is None:
            return None
        cell, lease = taken
        self.held[cell.name] = lease
        return Job(cell, 0, self.shares.get(cell.name, 1), lease)

    def told(self, job: Job) -> tuple[Any, ...]:
        """The recipe, what to bring, and for how long a silent process of the node is waited for."""
        return self.folder.recipe(job.cell).read_text(encoding="utf-8"), self.cluster.bring, self.cluster.term

    def settle(self, job: Job, end: Any) -> None:
        """Write home what came, end the lease, and note how the cell ended."""
        delivery = end if isinstance(end, Delivery) else None
        if delivery:
            end = self._received(job, delivery)
        self._give_back(job, end or End("released"))
        super().settle(job, end)

    def bury(self, job: Job, error: Exception) -> None:
        """Give back a cell whose task died with its process or node, and count."""
        self._give_back(job, End("released"))
        super().bury(job, error)

    def _received(self, job: Job, delivery: Delivery) -> End | None:
        """How the cell ended in the study; None where another launcher has it by now."""
        if job.lease is None or not self.taking.leases.holds(job.lease):
            return None
        log = self.folder.log(job.cell)
        log.parent.mkdir(parents=True, exist_ok=True)
        kept = f"the run is kept at {delivery.kept}\n".encode() if delivery.kept else b""
        log.write_bytes(delivery.log + kept)
        if delivery.end.outcome == "committed":
            write_home(delivery, self.folder.run(job.cell).folder)
        return delivery.end

    def _give_back(self, job: Job, end: End) -> None:
        lease = self.held.pop(job.cell.name, None)
        if lease:
            self.taking.leases.end(lease, end)
