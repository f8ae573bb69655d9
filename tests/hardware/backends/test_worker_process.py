"""Workers that fail, hang or lie, and what is said of them."""

import sys
import time
from pathlib import Path

import pytest

from hardware.backends.worker_process import run_worker
from snnface.errors import HardwareError


def run(tmp_path: Path, program: str, timeout_s: float = 60.0) -> None:
    script = tmp_path / "worker.py"
    script.write_text(program, encoding="utf-8")
    run_worker(script, tmp_path, python=Path(sys.executable), timeout_s=timeout_s, remedy="Do better.")


def test_a_worker_that_writes_its_results_is_believed(tmp_path: Path) -> None:
    run(tmp_path, "import pathlib, sys; pathlib.Path(sys.argv[1], 'results.json').write_text('{}')")
    assert (tmp_path / "results.json").read_text() == "{}"


def test_the_last_words_of_a_failing_worker_are_told_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(
        HardwareError, match=r"failed \(exit status 1\); its last message: ValueError: no\. Do better\."
    ):
        run(tmp_path, "raise ValueError('no')")


def test_a_worker_without_results_has_failed_whatever_it_says(tmp_path: Path) -> None:
    with pytest.raises(HardwareError, match=r"failed \(exit status 0\); its last message: none"):
        run(tmp_path, "pass")


def test_a_worker_that_hangs_is_ended_with_all_its_children(tmp_path: Path) -> None:
    alive = tmp_path / "alive"
    program = (
        f"import os, pathlib, time\nos.fork()\nwhile True: pathlib.Path({str(alive)!r}).touch(); time.sleep(0.01)\n"
    )
    with pytest.raises(HardwareError, match=r"did not finish within 0\.5 s"):
        run(tmp_path, program, timeout_s=0.5)
    alive.unlink(missing_ok=True)
    time.sleep(0.1)
    assert not alive.exists()
