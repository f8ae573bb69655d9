"""Jobs: none is lost, none is done twice, and a killed run is continued to the same files."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from snnface.errors import ConfigError, DataError, SnnfaceError
from snnface.files import write_text
from snnface.jobs import Failure, Job, run_jobs


def write_square(task: tuple[Path, int]) -> None:
    path, number = task
    if number == 13:
        raise DataError("13 is an unlucky number; choose another.")
    if number == 14:
        raise ZeroDivisionError("a bug")
    if number != 15:
        write_text(path, str(number**2))


def square(folder: Path, number: int) -> Job[tuple[Path, int]]:
    path = folder / f"{number}.txt"
    return Job(f"job {number}", (path,), (path, number))


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """A Dask cluster inside this process."""
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=":0") as cluster:
        yield cluster.scheduler_address


@pytest.mark.parametrize("on_cluster", [False, True])
def test_every_job_leaves_its_output(
    tmp_path: Path, scheduler: str, on_cluster: bool, request: pytest.FixtureRequest
) -> None:
    jobs = [square(tmp_path, number) for number in range(5)]
    where = {"scheduler": scheduler} if on_cluster else {"num_workers": 1}
    seen: list[tuple[int, int]] = []
    outcome = run_jobs(jobs, write_square, on_progress=lambda *at: seen.append(at), **where)
    assert [(tmp_path / f"{number}.txt").read_text() for number in range(5)] == ["0", "1", "4", "9", "16"]
    assert (outcome.done, outcome.skipped, outcome.failures) == (tuple(job.key for job in jobs), (), ())
    assert seen == [(done, 5) for done in range(6)]
    outcome.require_all()


@pytest.mark.parametrize("on_cluster", [False, True])
def test_a_failing_job_loses_only_itself_and_is_named(tmp_path: Path, scheduler: str, on_cluster: bool) -> None:
    jobs = [square(tmp_path, number) for number in (1, 13, 2, 14, 15)]
    where = {"scheduler": scheduler} if on_cluster else {"num_workers": 1}
    outcome = run_jobs(jobs, write_square, **where)
    assert outcome.done == ("job 1", "job 2")
    assert outcome.failures == (
        Failure("job 13", "13 is an unlucky number; choose another."),
        Failure("job 14", "ZeroDivisionError: a bug"),
        Failure("job 15", f"it ended without an error and without writing {tmp_path / '15.txt'}"),
    )
    with pytest.raises(SnnfaceError, match=r"3 of 5 jobs failed(.|\n)*job 13: 13 is an unlucky number"):
        outcome.require_all()


def test_a_long_list_of_failures_is_cut(tmp_path: Path) -> None:
    jobs = [Job(f"job {n}", (tmp_path / str(n),), (tmp_path / str(n), 13)) for n in range(25)]
    with pytest.raises(SnnfaceError, match=r"job 19(.|\n)*and 5 more$"):
        run_jobs(jobs, write_square, num_workers=1).require_all()


def test_what_is_done_is_not_done_again(tmp_path: Path) -> None:
    (tmp_path / "2.txt").write_text("mine")
    jobs = [square(tmp_path, number) for number in (1, 2)]
    outcome = run_jobs(jobs, write_square, num_workers=1)
    assert (outcome.done, outcome.skipped) == (("job 1",), ("job 2",))
    assert (tmp_path / "2.txt").read_text() == "mine"
    assert run_jobs(jobs, write_square, num_workers=1).done == ()


def test_a_job_with_one_of_its_outputs_missing_is_done_again(tmp_path: Path) -> None:
    path = tmp_path / "3.txt"
    path.write_text("old")
    job = Job("job 3", (tmp_path / "other", path), (path, 3))
    outcome = run_jobs([job], write_square)
    assert path.read_text() == "9"
    assert "without writing" in outcome.failures[0].message


def test_temporary_files_of_a_killed_run_are_removed_and_nothing_else(tmp_path: Path) -> None:
    done, waiting = square(tmp_path, 1), square(tmp_path, 2)
    (tmp_path / "1.txt").write_text("1")
    kept = [".1.txt.abcdefgh.txt", ".2.txt.swp", ".2.txt.abcdefgh.md", ".3.txt.abcdefgh.txt", "2.txt.abcdefgh.txt"]
    for name in [*kept, ".2.txt.abcd_f12.txt"]:
        (tmp_path / name).write_text("half")
    run_jobs([done, waiting], write_square, num_workers=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*kept, "1.txt", "2.txt"])


def test_no_jobs_are_no_work(tmp_path: Path) -> None:
    outcome = run_jobs([], write_square)
    assert (outcome.done, outcome.skipped, outcome.failures) == ((), (), ())


def test_two_jobs_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="two jobs have the key job 1"):
        run_jobs([square(tmp_path, 1), square(tmp_path, 1)], write_square)


def test_two_jobs_of_one_output_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "same"
    with pytest.raises(ConfigError, match=r"two jobs have the output .*same"):
        run_jobs([Job("a", (path,), (path, 1)), Job("b", (path,), (path, 2))], write_square)


def test_a_job_without_outputs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="give each job at least one"):
        run_jobs([Job("a", (), (tmp_path, 1))], write_square)


@pytest.mark.parametrize("where", [{"num_workers": 0}, {"num_workers": 2, "scheduler": "tcp://here:1"}])
def test_a_wrong_number_of_workers_is_refused(tmp_path: Path, where: dict) -> None:
    with pytest.raises(ConfigError, match="number of workers is at least 1"):
        run_jobs([square(tmp_path, 1)], write_square, **where)


def test_an_address_that_is_none_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A client of it would stay behind, and wait a minute when it is collected.
    monkeypatch.setattr("distributed.Client", None)
    with pytest.raises(ConfigError, match=r"no Dask scheduler answers at nonsense://here:1"):
        run_jobs([square(tmp_path, 1)], write_square, scheduler="nonsense://here:1")


# A program of its own, because its processes are killed. Each job takes a while, and writes
# through a temporary file that stays incomplete for most of that time. While it is held, the run
# cannot come to its end.
PROGRAM = textwrap.dedent(
    """
    import os, signal, sys, time
    from pathlib import Path
    from snnface.files import atomic_path
    from snnface.jobs import Job, run_jobs

    def work(path):
        if (path.parent / "suicidal").exists() and path.name == "3.txt":
            (path.parent / "suicidal").unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        with atomic_path(path) as temporary, temporary.open("w") as file:
            for letter in "abcdef" + path.name:
                file.write(letter)
                file.flush()
                time.sleep(0.03)
            while int(path.stem) > 5 and (path.parent.parent / "held").exists():
                time.sleep(0.03)

    if __name__ == "__main__":
        # What started the tests may have it ignored, as shells do for what runs in the background.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        folder = Path(sys.argv[1])
        jobs = [Job(str(n), (folder / f"{n}.txt",), folder / f"{n}.txt") for n in range(12)]
        outcome = run_jobs(jobs, work, num_workers=2)
        outcome.require_all()
        print(len(outcome.skipped))
    """
)


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(folder.iterdir())}


EXPECTED = {f"{n}.txt": f"abcdef{n}.txt" for n in sorted(range(12), key=str)}


@pytest.fixture
def program(tmp_path: Path) -> list[str]:
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "out").mkdir()
    return [sys.executable, str(tmp_path / "program.py"), str(tmp_path / "out")]


def wait_for(folder: Path, num_files: int) -> None:
    deadline = time.monotonic() + 60
    while len(list(folder.glob("[0-9]*.txt"))) < num_files:
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_run_stopped_in_the_middle_is_continued_to_the_same_files(
    tmp_path: Path, program: list[str], how: signal.Signals
) -> None:
    out, held = tmp_path / "out", tmp_path / "held"
    held.touch()
    with subprocess.Popen(program, start_new_session=True, stderr=subprocess.DEVNULL) as running:
        wait_for(out, 2)
        os.killpg(running.pid, how)
    assert running.returncode != 0
    complete = {name for name in contents(out) if not name.startswith(".")}
    assert 2 <= len(complete) < 12
    assert {name: text for name, text in contents(out).items() if name in complete}.items() <= EXPECTED.items()
    held.unlink()
    again = subprocess.run(program, capture_output=True, text=True, check=True)
    assert again.stdout.strip() == str(len(complete))
    assert contents(out) == EXPECTED


def test_a_killed_worker_is_replaced_and_its_job_tried_again(tmp_path: Path, program: list[str]) -> None:
    (tmp_path / "out" / "suicidal").touch()
    subprocess.run(program, capture_output=True, check=True)
    assert contents(tmp_path / "out") == EXPECTED


def _threads(out: Path) -> None:
    out.write_text(str(max(pool["num_threads"] for pool in threadpool_info())), encoding="utf-8")


def test_a_job_in_this_process_has_one_thread_as_those_of_workers_have(tmp_path: Path) -> None:
    np.ones((8, 8)) @ np.ones((8, 8))
    with threadpool_limits(2):
        run_jobs([Job("a", (tmp_path / "a",), tmp_path / "a")], _threads, num_workers=1)
    assert (tmp_path / "a").read_text(encoding="utf-8") == "1"
