"""Building the C++ kernels at first use, and loading them.

The library is compiled for the machine it runs on into the user's cache folder, under a
name that hashes everything it was made of, so that it is built once and never goes stale.
torch is imported first: its OpenMP runtime is then the one that the kernels share.
"""

import ctypes
import hashlib
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import torch  # noqa: F401

from snnface.cache import default_cache
from snnface.errors import BackendUnavailableError, DataError
from snnface.files import atomic_path

__all__ = ["library", "unavailable"]

SOURCES = Path(__file__).parent
COMPILERS = ("c++", "g++", "clang++")
# Contraction (a*b+c in one rounding) would make spikes differ from the reference.
FLAGS = (
    *("-std=c++17", "-O3", "-march=native", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math"),
    *("-shared", "-fPIC", "-Wno-psabi"),
)
SECONDS_TO_COMPILE = 300


def library() -> ctypes.CDLL:
    """The compiled kernels; the first call on a machine takes some seconds.

    Raises:
        BackendUnavailableError: if there is no compiler, or it cannot build the kernels.
    """
    built = _built()
    if isinstance(built, str):
        raise BackendUnavailableError(f"the C++ kernels cannot run: {built}. Install a C++17 compiler such as g++.")
    return built


def unavailable() -> str | None:
    """Why the C++ kernels cannot run here, in words; None if they can."""
    built = _built()
    return built if isinstance(built, str) else None


@cache
def _built() -> ctypes.CDLL | str:
    """The library, or why there is none; tried once a process."""
    compilers = [path for path in map(shutil.which, COMPILERS) if path]
    if not compilers:
        return f"no C++ compiler was found ({', '.join(COMPILERS)})"
    reasons = []
    # Without OpenMP the kernels still run, on one thread.
    for compiler in dict.fromkeys(compilers):
        for flags in ((*FLAGS, "-fopenmp"), FLAGS):
            try:
                return _load(compiler, flags)
            except (OSError, subprocess.SubprocessError, DataError) as error:
                reasons.append(f"{compiler} failed: {_first_line(error)}")
    return reasons[0]


def _load(compiler: str, flags: tuple[str, ...]) -> ctypes.CDLL:
    sources = {path.name: path.read_text(encoding="utf-8") for path in sorted(SOURCES.glob("*.[ch]*"))}
    path = default_cache() / "kernels" / f"{_fingerprint(compiler, flags, sources)}.so"
    if not path.exists():
        with atomic_path(path) as temporary, tempfile.TemporaryDirectory() as folder:
            # What was hashed is compiled, even if somebody writes to the sources at this moment.
            for name, text in sources.items():
                (Path(folder) / name).write_text(text, encoding="utf-8")
            command = [
                compiler,
                *flags,
                *(name for name in sources if name.endswith(".cpp")),
                "-o",
                str(temporary.resolve()),
            ]
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=SECONDS_TO_COMPILE, cwd=folder)
    return ctypes.CDLL(str(path.resolve()))


def _fingerprint(compiler: str, flags: tuple[str, ...], sources: Mapping[str, str]) -> str:
    """A hash of sources, flags, compiler and processor."""
    version = subprocess.run([compiler, "--version"], check=True, capture_output=True, text=True, timeout=60).stdout
    parts = [version, *flags, platform.machine(), _processor()]
    for name, text in sources.items():
        parts += [name, text]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]


def _processor() -> str:
    """What `-march=native` depends on: the instruction sets, where the system tells them."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return "".join(sorted({line for line in lines if line.lower().startswith(("flags", "features", "model name"))}))


def _first_line(error: Exception) -> str:
    text = error.stderr if isinstance(error, subprocess.CalledProcessError) and error.stderr else str(error)
    lines = [line for line in text.splitlines() if "error" in line.lower()] or text.splitlines() or [repr(error)]
    return lines[0].strip()
