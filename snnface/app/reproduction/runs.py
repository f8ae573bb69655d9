"""Making the runs behind a table: each once, resumable, several at a time."""

import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console

from snnface.app.catalog import model_of
from snnface.app.cross_validation import cross_validate
from snnface.app.experiment import open_experiment
from snnface.app.progress import counting_bar
from snnface.app.reproduction.plan import PlannedRun, ReproduceConfig
from snnface.app.reproduction.record import RunRecord, read_record, record_path, scores_of
from snnface.app.run import device_of
from snnface.config import to_json
from snnface.files import write_text
from snnface.jobs import Job, run_jobs

__all__ = ["make_runs"]


@dataclass(frozen=True, kw_only=True)
class _Task:
    """One run's work; travels to the process that does it."""

    run: PlannedRun
    folder: Path
    cache_dir: Path
    config: ReproduceConfig
    is_one_job: bool


def make_runs(
    runs: Iterable[PlannedRun], out: Path, *, config: ReproduceConfig, cache_dir: Path, console: Console
) -> dict[str, RunRecord]:
    """Train and test what is not there yet; returns folder name -> what the run said.

    Runs of one fold are spread over the workers, and quick ones with all their folds; of others, the folds are.

    Raises:
        SnnfaceError: if a run failed; names every one that did. The others are kept.
    """
    distinct = {run.folder_name: run for run in runs}
    tasks = {
        name: _Task(
            run=run, folder=out / name, cache_dir=cache_dir, config=config, is_one_job=run.has_one_fold or config.quick
        )
        for name, run in distinct.items()
    }
    waiting = [task for task in tasks.values() if not record_path(task.folder, task.run.folds).is_file()]
    # Recordings first, and here: workers may have no workers of their own.
    for run in _of_different_data(task.run for task in waiting):
        open_experiment(run.recipe, cache_dir=cache_dir, console=console)
    num_workers = config.workers
    if num_workers is None and config.scheduler is None and device_of(config.device).type == "cuda":
        num_workers = 1
    with counting_bar(console, "runs") as on_progress:
        jobs = [_job(task) for task in tasks.values() if task.is_one_job]
        run_jobs(jobs, _run, scheduler=config.scheduler, num_workers=num_workers, on_progress=on_progress).require_all()
    for task in waiting:
        if not task.is_one_job:
            _run(task)
    return {name: read_record(task.folder, task.run.folds) for name, task in tasks.items()}


def _job(task: _Task) -> Job[_Task]:
    return Job(task.folder.name, (record_path(task.folder, task.run.folds),), task)


def _run(task: _Task) -> None:
    """Train, test and say how it went."""
    run, config, start = task.run, task.config, time.perf_counter()
    _forget_peak()
    result = cross_validate(
        run.recipe,
        task.folder,
        cache_dir=task.cache_dir,
        folds=run.folds,
        scheduler=None if task.is_one_job else config.scheduler,
        num_workers=1 if task.is_one_job else config.workers,
        device=config.device,
    )
    seconds = time.perf_counter() - start
    experiment = open_experiment(run.recipe, cache_dir=task.cache_dir, console=Console(quiet=True))
    account = getattr(experiment.dataset, "account", tuple)
    num_parameters = sum(parameter.numel() for parameter in model_of(run.recipe).parameters())
    record = RunRecord(
        recipe=run.recipe.name,
        data=result.data,
        is_synthetic=result.is_synthetic,
        account=account(),
        selection=result.selection,
        num_folds=result.num_folds,
        folds=tuple(fold.fold for fold in result.folds),
        num_clips=result.num_clips,
        num_subjects=result.num_subjects,
        num_parameters=num_parameters,
        num_epochs=run.recipe.training.num_epochs,
        device=_device_name(config),
        precision=run.recipe.training.precision,
        seconds=seconds,
        peak_bytes=_peak() if task.is_one_job else None,
        scores=scores_of(result, num_parameters=num_parameters),
    )
    write_text(record_path(task.folder, run.folds), to_json(record))


def _of_different_data(runs: Iterable[PlannedRun]) -> Sequence[PlannedRun]:
    """One run of each set that may have to be filmed or emulated."""
    return list({repr((run.recipe.data, run.recipe.representation)): run for run in runs}.values())


def _device_name(config: ReproduceConfig) -> str:
    device = device_of(config.device)
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"


def _forget_peak() -> None:
    """Let the system count the peak of this process's memory anew, where it can (Linux)."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _peak() -> int | None:
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return None
