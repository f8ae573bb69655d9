"""A progress bar for things that are counted."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

__all__ = ["counting_bar"]


@contextmanager
def counting_bar(console: Console, label: str) -> Iterator[Callable[[int, int], None]]:
    """Yields `on_progress(done, total)`; nothing is shown until it is called."""
    progress = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=console
    )
    bar = progress.add_task(label, total=None, visible=False)

    def on_progress(done: int, total: int) -> None:
        progress.update(bar, completed=done, total=total, visible=True)

    with progress:
        yield on_progress
