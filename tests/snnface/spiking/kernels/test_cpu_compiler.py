"""Building the C++ kernels: found compilers, broken ones, and memory that is used again."""

import ctypes
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode

from snnface.errors import BackendUnavailableError
from snnface.spiking.kernels.cpu import buffers, compiler
from snnface.spiking.kernels.cpu.buffers import empty

needs_compiler = pytest.mark.skipif(
    not any(map(shutil.which, compiler.COMPILERS)), reason="no C++ compiler on this machine"
)


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


@needs_compiler
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


def test_the_pool_holds_no_more_than_the_largest_demand_so_far(monkeypatch):
    monkeypatch.setattr(buffers, "_free", [])
    for megabytes in (3, 30, 7, 3, 15, 60):
        empty((megabytes << 20,), torch.uint8)
    assert sum(map(len, buffers._free)) <= 64 << 20


def test_the_compiler_of_torch_gets_tensors_without_memory():
    with FakeTensorMode():
        assert isinstance(empty((1 << 20, 4), torch.float32), FakeTensor)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes cannot fork on this system")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_forked_processes_do_not_write_into_each_others_tensors():
    large = empty((4 << 20,), torch.uint8).fill_(1)
    child = os.fork()
    if not child:
        ctypes.memset(large.data_ptr(), 2, large.numel())
        os._exit(0)
    os.waitpid(child, 0)
    assert bool((large == 1).all())


@pytest.fixture
def tiny(monkeypatch, tmp_path) -> Path:
    """The folder of a library with one function, in place of the kernels, and an empty cache."""
    sources = tmp_path / "sources"
    sources.mkdir()
    (sources / "answer.cpp").write_text('extern "C" int answer() { return 1; }')
    monkeypatch.setattr(compiler, "SOURCES", sources)
    monkeypatch.setenv("SNNFACE_CACHE", str(tmp_path / "cache"))
    return sources


@needs_compiler
def test_threads_that_build_the_library_at_the_same_time_all_get_a_whole_one(tiny):
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: compiler._built(), range(4)))
    assert [library.answer() for library in found] == [1, 1, 1, 1]
    assert len(list((tiny.parent / "cache" / "kernels").iterdir())) == 1


@needs_compiler
def test_what_was_hashed_is_compiled_even_if_the_sources_change_meanwhile(tiny, monkeypatch):
    real = next(filter(None, map(shutil.which, compiler.COMPILERS)))
    change = f"echo 'extern \"C\" int answer() {{ return 2; }}' > {tiny / 'answer.cpp'}"
    executable(tiny.parent / "c++", f'[ "$1" = --version ] || {change}\nexec {real} "$@"')
    monkeypatch.setenv("PATH", f"{tiny.parent}:{os.environ['PATH']}")
    assert compiler.library().answer() == 1
    compiler._built.cache_clear()
    assert compiler.library().answer() == 2
