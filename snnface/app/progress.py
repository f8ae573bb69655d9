"""A progress bar for things that are counted."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

__all__ = ["counting_bar"]


@contextmanager
def counting_bar(console: Console, label: str) -> Iterator[Callable[[int, int | None], None]]:
    """Yields `on_progress(done, total)`, total None if it is not known; nothing is shown until it is called."""
    progress = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
    )
    bar = progress.add_task(label, total=None)

    def on_progress(done: int, total: int | None) -> None:
        # Not before: a bar that was started leaves a blank line, even if nothing was to be done.
        progress.start()
        progress.update(bar, completed=done, total=total)

    try:
        yield on_progress
    finally:
        if progress.live.is_started:
            progress.stop()
