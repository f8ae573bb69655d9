"""Many independent jobs that leave files: in this process, on all cores, or on a Dask cluster."""

import functools
import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from threadpoolctl import threadpool_limits

from snnface.errors import ConfigError, SnnfaceError
from snnface.files import atomic_target
from snnface.memory import keep_freed_memory

if TYPE_CHECKING:
    from distributed import Client, Future

__all__ = ["Failure", "Job", "JobsOutcome", "run_jobs"]

logger = logging.getLogger(__name__)

T = TypeVar("T")

MAX_FAILURES_LISTED = 20
# Libraries that would start a thread for each core in each process; Dask itself sees to OpenMP and BLAS.
ONE_THREAD = {"OPENCV_FOR_THREADS_NUM": "1", "NUMBA_NUM_THREADS": "1"}


@dataclass(frozen=True, slots=True)
class Job(Generic[T]):
    """One piece of work.

    Attributes:
        key: its name in messages; no two jobs of a run share it.
        outputs: the files that the work leaves, each written atomically (`snnface.files`). The
            job is done if and only if all of them are there.
        task: what the worker needs to know; travels to other processes.
    """

    key: str
    outputs: tuple[Path, ...]
    task: T

    @property
    def is_done(self) -> bool:
        return all(output.exists() for output in self.outputs)


@dataclass(frozen=True, slots=True)
class Failure:
    """A job that could not be done, and why."""

    key: str
    message: str


@dataclass(frozen=True, slots=True)
class JobsOutcome:
    """What became of the jobs; keys in the order in which the jobs were given.

    Attributes:
        done: jobs that were run now.
        skipped: jobs whose output was there already.
        failures: jobs that have no output.
    """

    done: tuple[str, ...]
    skipped: tuple[str, ...]
    failures: tuple[Failure, ...]

    def require_all(self) -> None:
        """Check that no job failed.

        Raises:
            SnnfaceError: that names every failed job with its reason (the first MAX_FAILURES_LISTED).
        """
        if not self.failures:
            return
        num_jobs = len(self.done) + len(self.skipped) + len(self.failures)
        listed = [f"  {failure.key}: {failure.message}" for failure in self.failures[:MAX_FAILURES_LISTED]]
        rest = len(self.failures) - len(listed)
        more = [f"  ... and {rest} more"] if rest else []
        raise SnnfaceError(
            "\n".join(
                [
                    f"{len(self.failures)} of {num_jobs} jobs failed; the others are done and are kept. "
                    "Mend the cause and run the same again:",
                    *listed,
                    *more,
                ]
            )
        )


def run_jobs(
    jobs: Sequence[Job[T]],
    worker: Callable[[T], Any],
    *,
    scheduler: str | None = None,
    num_workers: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> JobsOutcome:
    """Run every job whose outputs are not there yet; one that fails does not stop the others.

    A run that was killed at any moment is continued by running the same jobs again: what is
    done is skipped, and temporary files that the killed run left beside the outputs are
    removed. So the same jobs must not be run twice at the same time.

    With one worker, or one job to do, and no scheduler, everything happens in this process.
    Otherwise workers are processes of one thread each, started afresh (a script that calls
    this needs the usual `if __name__ == "__main__":`), and a worker that is killed is
    replaced and its job tried again.

    Args:
        worker: does the work of one task and writes the job's outputs; a function at the top
            level of a module, so that other processes find it.
        scheduler: address of a Dask cluster ("tcp://host:8786") that sees the same files;
            None: this machine.
        num_workers: processes on this machine; None: one for each core.
        on_progress: called with (jobs done, jobs in all), from this thread.

    Raises:
        ConfigError: if two jobs share a key or an output, `num_workers` is below 1 or comes
            with a scheduler, or no scheduler answers at that address.
    """
    _check(jobs, scheduler, num_workers)
    waiting = [job for job in jobs if not job.is_done]
    errors: dict[str, str] = {}
    skipped = {job.key for job in jobs} - {job.key for job in waiting}
    _remove_leftovers(waiting)
    if on_progress is not None and jobs:
        on_progress(len(skipped), len(jobs))
    for num_ended, (key, error) in enumerate(_ended(waiting, worker, scheduler, num_workers), start=1):
        if error is not None:
            errors[key] = error
        if on_progress is not None:
            on_progress(len(skipped) + num_ended, len(jobs))
    return JobsOutcome(
        done=tuple(job.key for job in waiting if job.key not in errors),
        skipped=tuple(job.key for job in jobs if job.key in skipped),
        failures=tuple(Failure(job.key, errors[job.key]) for job in waiting if job.key in errors),
    )


def _check(jobs: Sequence[Job[T]], scheduler: str | None, num_workers: int | None) -> None:
    keys = [job.key for job in jobs]
    outputs = [str(output) for job in jobs for output in job.outputs]
    for name, values in (("key", keys), ("output", outputs)):
        seen: set[str] = set()
        for value in values:
            if value in seen:
                raise ConfigError(f"two jobs have the {name} {value}; each needs its own. Rename one of them.")
            seen.add(value)
    if any(not job.outputs for job in jobs):
        raise ConfigError("a job is done when its outputs are there; give each job at least one.")
    if num_workers is not None and (num_workers < 1 or scheduler is not None):
        raise ConfigError(
            f"the number of workers is at least 1, and a cluster has its own; got {num_workers}"
            f"{'' if scheduler is None else f' beside the scheduler {scheduler}'}. Leave one of the two out."
        )


def _ended(
    jobs: Sequence[Job[T]], worker: Callable[[T], Any], scheduler: str | None, num_workers: int | None
) -> Iterator[tuple[str, str | None]]:
    """Key and error (None: it went well) of each job, as they end."""
    num_workers = min(num_workers or os.cpu_count() or 1, len(jobs))
    attempt = functools.partial(_attempt, worker)
    if not jobs or (scheduler is None and num_workers == 1):
        for job in jobs:
            # One thread, as workers have: sums of another order would differ in their last bits.
            with threadpool_limits(1):
                error = attempt(job)
            yield job.key, error
        return
    from distributed import as_completed

    try:
        with _client(scheduler, num_workers) as client:
            # Not pure: names of our own would find results of an earlier run on a cluster that lives on.
            futures = client.map(attempt, jobs, pure=False)
            keys = {future.key: job.key for future, job in zip(futures, jobs, strict=True)}
            for future in as_completed(futures, loop=client.loop):
                yield keys[future.key], _error_of(future)
    finally:
        if scheduler is None:
            # The workers are gone by now; where they were stopped in the middle they left temporary files.
            _remove_leftovers([job for job in jobs if not job.is_done])


def _error_of(future: "Future") -> str | None:
    """What a job raises is a result here; where there is none, the cluster failed.

    The result of a job whose worker died just now is not there yet: the job is tried again, and awaited here.
    """
    from distributed.client import FutureCancelledError

    try:
        return future.result()
    except FutureCancelledError:
        return "the connection to the cluster was lost"
    except Exception as error:
        # Workers that were killed again and again, or that have other software than this process.
        return f"{type(error).__name__}: {error}"


def _attempt(worker: Callable[[T], Any], job: Job[T]) -> str | None:
    """Do one job; returns what went wrong, None if nothing."""
    if job.is_done:
        # Done by a worker that died before it could tell.
        return None
    keep_freed_memory()
    try:
        worker(job.task)
    except (SnnfaceError, OSError) as error:
        return str(error) or type(error).__name__
    except Exception as error:
        # One job is lost and reported by its name, the others go on; the traceback is in the log.
        logger.exception("job %s failed", job.key)
        return f"{type(error).__name__}: {error}"
    missing = [str(output) for output in job.outputs if not output.exists()]
    return f"it ended without an error and without writing {', '.join(missing)}" if missing else None


@contextmanager
def _client(scheduler: str | None, num_workers: int) -> Iterator["Client"]:
    """A Dask client: of the cluster at `scheduler`, or of one on this machine that ends with the block."""
    from distributed import Client, LocalCluster
    from distributed.comm.addressing import parse_address
    from distributed.comm.registry import get_backend

    if scheduler is not None:
        try:
            # Before there is a client: one with a wrong address raises, and then waits a minute for its own end.
            get_backend(parse_address(scheduler)[0])
            client = Client(scheduler, set_as_default=False)
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"no Dask scheduler answers at {scheduler} ({error}). Start one with `dask scheduler` and workers "
                "with `dask worker`, and give its address, such as tcp://host:8786."
            ) from error
        with client:
            yield client
        return
    with _interrupts_ignored():
        # Any free port: without an address it would insist on 8787, and warn where that is taken.
        # Below errors, Dask only tells at length that it is being stopped.
        cluster = LocalCluster(
            n_workers=num_workers,
            threads_per_worker=1,
            processes=True,
            dashboard_address=":0",
            silence_logs=logging.ERROR,
            env=ONE_THREAD,
        )
    with cluster, Client(cluster, set_as_default=False) as client:
        yield client


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Processes started in this block pay no heed to Ctrl-C: this process ends them, without a traceback from each."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _remove_leftovers(jobs: Sequence[Job[T]]) -> None:
    """Remove the temporary files that a killed run left beside the outputs of these jobs."""
    outputs = {output for job in jobs for output in job.outputs}
    for folder in {output.parent for output in outputs}:
        for entry in folder.iterdir() if folder.is_dir() else ():
            if atomic_target(entry) in outputs:
                entry.unlink(missing_ok=True)
