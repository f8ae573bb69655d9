"""Building the C++ kernels: found compilers, broken ones, and memory that is used again."""

import shutil
from pathlib import Path

import pytest
import torch

from snnface.errors import BackendUnavailableError
from snnface.spiking.kernels.cpu import compiler
from snnface.spiking.kernels.cpu.buffers import empty


@pytest.fixture(autouse=True)
def fresh():
    compiler._built.cache_clear()
    yield
    compiler._built.cache_clear()


def executable(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_without_a_compiler_the_reason_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert compiler.unavailable() == "no C++ compiler was found (c++, g++, clang++)"
    with pytest.raises(BackendUnavailableError, match=r"no C\+\+ compiler was found .* Install a C\+\+17 compiler"):
        compiler.library()


def test_a_broken_compiler_is_told_by_what_it_says(monkeypatch, tmp_path):
    executable(tmp_path / "g++", 'case "$1" in --version) echo 1.0;; *) echo "error: no such luck" >&2; exit 1;; esac')
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(compiler, "COMPILERS", ("g++",))
    monkeypatch.setenv("SNNFACE_CACHE", str(tmp_path / "cache"))
    assert compiler.unavailable() == f"{tmp_path}/g++ failed: error: no such luck"
    assert list((tmp_path / "cache" / "kernels").iterdir()) == []


def test_a_library_that_cannot_be_loaded_is_told(monkeypatch, tmp_path):
    executable(tmp_path / "g++", 'while [ "$1" != "-o" ] && [ $# -gt 1 ]; do shift; done; echo nonsense > "$2"')
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(compiler, "COMPILERS", ("g++",))
    monkeypatch.setenv("SNNFACE_CACHE", str(tmp_path / "cache"))
    assert "g++ failed" in (compiler.unavailable() or "")


@pytest.mark.skipif(not any(map(shutil.which, compiler.COMPILERS)), reason="no C++ compiler on this machine")
def test_the_kernels_share_the_openmp_runtime_of_torch():
    assert compiler.unavailable() is None
    maps = Path("/proc/self/maps")
    if not maps.exists():
        pytest.skip("the system does not list its loaded libraries in /proc")
    loaded = {line.split()[-1] for line in maps.read_text().splitlines() if "libgomp" in line}
    # Other packages bring private copies under a hashed name; the kernels ask for the plain one.
    assert len({name for name in loaded if name.endswith("libgomp.so.1")}) <= 1


def test_memory_of_a_dead_tensor_is_used_again():
    first = empty((3, 1 << 20), torch.float32)
    address = first.data_ptr()
    view = first[1]
    del first
    assert empty((3, 1 << 20), torch.float32).data_ptr() != address  # the view still lives
    del view
    assert empty((1 << 20, 3), torch.int32).data_ptr() == address


def test_small_tensors_come_from_torch_and_large_ones_are_whole():
    assert empty((4, 5), torch.float64).shape == (4, 5)
    large = empty((1000, 600), torch.bfloat16).fill_(3)
    assert large.is_contiguous()
    assert large.double().sum() == 1_800_000
