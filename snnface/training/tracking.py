"""Observers: what is written down and shown while a model trains."""

import json
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from snnface.files import write_text
from snnface.tasks.base import Loss
from snnface.training.checkpoint import save_state, save_weights
from snnface.training.loop import EpochResult, TrainingState

__all__ = ["CheckpointWriter", "MetricsLog", "ProgressBar"]


class MetricsLog:
    """One JSON line an epoch in `metrics.jsonl`; a resumed run continues where its checkpoint stands.

    Args:
        chosen_on: what the clips are called that the weights are chosen on.
    """

    def __init__(self, path: Path, *, epochs_done: int = 0, chosen_on: str = "validation") -> None:
        self._path, self._chosen_on = path, chosen_on
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        write_text(path, "".join(f"{line}\n" for line in lines[:epochs_done]))

    def on_epoch_start(self, state: TrainingState, num_steps: int) -> None:
        """Nothing to note."""

    def on_step(self, loss: Loss) -> None:
        """Nothing to note."""

    def on_epoch_end(self, state: TrainingState, result: EpochResult) -> None:
        row = {"epoch": result.epoch, "train_loss": result.train_loss, self._chosen_on: result.validation}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


class CheckpointWriter:
    """The best weights, and the state to resume from."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def on_epoch_start(self, state: TrainingState, num_steps: int) -> None:
        """Nothing to write."""

    def on_step(self, loss: Loss) -> None:
        """Nothing to write."""

    def on_epoch_end(self, state: TrainingState, result: EpochResult) -> None:
        # Best weights first: a kill in between repeats the epoch and writes them again.
        if result.is_best:
            save_weights(state.model, self._folder / "model.safetensors")
        save_state(state, self._folder / "last")


class ProgressBar:
    """A bar over the batches of all epochs, with the loss and the metric by which weights are chosen.

    Args:
        chosen_on: what the clips are called that they are chosen on.
    """

    def __init__(
        self, console: Console, *, label: str, num_epochs: int, metric: str, chosen_on: str = "validation"
    ) -> None:
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}", markup=False),
            console=console,
        )
        self._label, self._num_epochs, self._metric, self._chosen_on = label, num_epochs, metric, chosen_on
        self._bar = self._progress.add_task(label, total=None, note="")
        self._note = ""

    def __enter__(self) -> "ProgressBar":
        self._progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._progress.stop()

    def on_epoch_start(self, state: TrainingState, num_steps: int) -> None:
        self._progress.update(self._bar, total=num_steps * self._num_epochs, completed=num_steps * state.epoch)

    def on_step(self, loss: Loss) -> None:
        self._progress.update(self._bar, advance=1, note=f"loss {loss.value:.4f} {self._note}")

    def on_epoch_end(self, state: TrainingState, result: EpochResult) -> None:
        if result.validation:
            self._note = f"· {self._chosen_on} {self._metric} {result.validation[self._metric]:.3f}"
