"""A worker of Lava's environment as a subprocess: bounded in time, ended whole, its last words kept."""

import contextlib
import os
import signal
import subprocess
from pathlib import Path

from snnface.errors import HardwareError

__all__ = ["WORKERS", "run_worker"]

WORKERS = Path(__file__).resolve().parents[1] / "lava_worker"
"""The scripts that run on Lava's Python; they import nothing of the project."""


def run_worker(script: Path, folder: Path, *, python: Path, timeout_s: float, remedy: str) -> None:
    """Run `script` on `folder`, from which it takes its jobs and to which it writes results.json last of all.

    Args:
        python: the interpreter of Lava's environment.
        remedy: what to do when it fails, for the message.

    Raises:
        HardwareError: if the worker fails or takes too long; carries the end of its messages.
    """
    # In a session of its own: Lava forks one process per layer, and when one of them dies the
    # others wait for ever, so that all have to be ended together.
    messages = folder / "messages.txt"
    with (
        messages.open("wb") as file,
        subprocess.Popen(
            [str(python), str(script), str(folder)], stdout=file, stderr=subprocess.STDOUT, start_new_session=True
        ) as process,
    ):
        try:
            status = process.wait(timeout=timeout_s)
        except subprocess.TimeoutExpired as error:
            raise HardwareError(
                f"Lava did not finish within {timeout_s:g} s. Give it fewer samples, or a longer timeout_s. "
                f"Its last messages: {_last_message(messages)}"
            ) from error
        finally:
            if process.returncode != 0:  # failed, or still running
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
    if status != 0 or not (folder / "results.json").exists():
        raise HardwareError(
            f"the Lava worker failed (exit status {status}); its last message: {_last_message(messages)}. {remedy}"
        )


def _last_message(messages: Path) -> str:
    """The last line that is not empty: of a traceback, the one that names the error."""
    lines = messages.read_text(encoding="utf-8", errors="replace").split("\n")
    return next((line.strip()[-500:] for line in reversed(lines) if line.strip()), "none")
