"""What a person sees while a study runs: a live table of cells on a terminal, a line per finished cell elsewhere."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table

from finegrained_crl.crossval.plan import Cell
from finegrained_crl.crossval.study import Study, StudyFolder
from finegrained_crl.crossval.taking import Status
from finegrained_crl.training.reporter import duration


class StudyView:
    """Shows a study on stderr.

    Args:
        folder: of the study.
        study: its plan.
        jobs: cells side by side, for the time left.
    """

    def __init__(self, folder: StudyFolder, study: Study, jobs: int) -> None:
        self.folder, self.study, self.jobs = folder, study, jobs
        self.console = Console(stderr=True, highlight=False, soft_wrap=True)
        self.status: dict[str, Status] = {}
        self.scores: dict[str, str] = {}
        self.live = Live(console=self.console, auto_refresh=False) if self.console.is_terminal else None

    def __enter__(self) -> Self:
        """Begin to show."""
        if self.live:
            self.live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Show the last state and stop."""
        self.tick()
        if self.live:
            self.live.stop()

    def changed(self, cell: Cell, status: Status) -> None:
        """A cell began, finished or failed."""
        if self.live or status.state not in ("done", "failed"):
            return
        states = [s.state for s in self.status.values()]
        done = sum(state in ("done", "failed") for state in states)
        what = (
            f"done in {duration(status.seconds)}, {self._score(cell)}"
            if status.state == "done"
            else f"FAILED: {status.reason}"
        )
        self.console.print(f"[{done}/{len(states)}] {cell.name}: {what}; {self._time_left()} left", markup=False)

    def tick(self) -> None:
        """Draw the table again, on a terminal."""
        if self.live:
            self.live.update(self._table(), refresh=True)

    def _table(self) -> Table:
        table = Table(title=f"{self.folder.folder}: {self._time_left()} left", title_justify="left")
        for column in ("variant", "seed", *("run" if fold is None else f"fold {fold}" for fold in self.study.folds)):
            table.add_column(column)
        by_row: dict[tuple[str, int], list[str]] = {}
        for cell in self.study.cells:
            by_row.setdefault((cell.variant, cell.seed), []).append(self._cell_text(cell))
        for (variant, seed), texts in by_row.items():
            table.add_row(variant, str(seed), *texts)
        return table

    def _cell_text(self, cell: Cell) -> str:
        state = self.status[cell.name].state if cell.name in self.status else "waiting"
        if state == "done":
            return f"[green]{self._score(cell)}[/]"
        if state in ("running", "elsewhere"):
            return f"[yellow]epoch {self._epoch(cell)}/{cell.recipe.epochs}[/]"
        return "[red]failed[/]" if state == "failed" else "[dim]waiting[/]"

    def _score(self, cell: Cell) -> str:
        """Top-1 accuracy on the held-out part, of the last weights."""
        if cell.name not in self.scores:
            results = self.folder.run(cell).read_results()
            self.scores[cell.name] = f"{100 * results['metrics']['last']['test']['top1_accuracy']:.1f} %"
        return self.scores[cell.name]

    def _epoch(self, cell: Cell) -> int:
        path = self.folder.run(cell).epochs
        lines = path.read_text(encoding="utf-8").count("\n") if path.is_file() else 1
        return min(lines, cell.recipe.epochs)

    def _time_left(self) -> str:
        seconds = [
            status.seconds for status in self.status.values() if status.state in ("done", "failed") and status.seconds
        ]
        left = sum(status.state not in ("done", "failed") for status in self.status.values())
        if not left:
            return "nothing"
        return f"about {duration(-(-left // self.jobs) * sum(seconds) / len(seconds))}" if seconds else "unknown time"
