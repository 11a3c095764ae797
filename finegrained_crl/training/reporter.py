"""What a person sees while a run goes on: a live bar on a terminal, plain lines elsewhere, always on stderr."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class Reporter:
    """Tells about epochs and steps; silent on all processes but the first."""

    def __init__(self, *, epochs: int, shown: bool = True) -> None:
        self.console = Console(stderr=True, quiet=not shown, highlight=False, soft_wrap=True)
        self.epochs = epochs
        self._bar: Progress | None = None
        self._task: Any = None

    def say(self, text: str) -> None:
        """One line."""
        self.console.print(text, markup=False)

    def begin_epoch(self, epoch: int, done: int, updates: int) -> None:
        """Start the epoch's bar, on a terminal."""
        self._begin(f"epoch {epoch + 1}/{self.epochs}", updates, done)

    def _begin(self, what: str, total: int, done: int) -> None:
        if self.console.is_terminal and not self.console.quiet:
            columns = [
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[state]}"),
            ]
            self._bar = Progress(*columns, TimeRemainingColumn(), console=self.console, transient=True)
            self._task = self._bar.add_task(what, total=total, completed=done, state="")
            self._bar.start()

    def step(self, done: int, loss: float, accuracy: float, speed: float) -> None:
        """Move the bar."""
        if self._bar:
            state = f"loss {loss:.3f}  acc {100 * accuracy:5.1f} %  {speed:.1f} images/s"
            self._bar.update(self._task, completed=done, state=state)

    def begin_scoring(self, pictures: int) -> None:
        """Start the bar of an evaluation, on a terminal; a long one must not look like a run that hangs."""
        self.close()
        self._begin("scoring held-out pictures", pictures, 0)

    def scored(self, pictures: int) -> None:
        """Move that bar."""
        if self._bar:
            self._bar.advance(self._task, pictures)

    def end_epoch(self, row: dict[str, Any], eta_seconds: float) -> None:
        """One line about a finished epoch; the bar goes."""
        self.close()
        parts = [
            f"epoch {row['epoch']}/{self.epochs}",
            f"loss {row['train_loss']:.4f}",
            f"train {100 * row['train_accuracy']:.1f} %",
        ]
        parts += [
            f"{part} {100 * row[f'{part}_top1']:.1f} %"
            for part in ("val", "test")
            if row.get(f"{part}_top1") is not None
        ]
        parts += [
            f"{part} MAE {row[f'{part}_mae_years']:.2f} years"
            for part in ("val", "test")
            if row.get(f"{part}_mae_years") is not None
        ]
        parts += [f"{row['images_per_second']:.1f} images/s", f"{duration(eta_seconds)} left"]
        self.say("  ".join(parts))

    def close(self) -> None:
        """Take the bar away, also after an error."""
        if self._bar:
            self._bar.stop()
            self._bar = None


def duration(seconds: float) -> str:
    """Seconds as people say them.

    >>> duration(42), duration(754), duration(8040)
    ('42 s', '12 min 34 s', '2 h 14 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
