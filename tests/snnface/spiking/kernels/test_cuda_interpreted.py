"""The Triton programs without a card: interpreted on the CPU, and compiled but not run."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from snnface.spiking.kernels import cuda

needs_triton = pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="Triton is not installed")


@pytest.mark.slow
@needs_triton
def test_interpreted_programs_equal_the_reference() -> None:
    """The tests of `test_cuda.py`, in a process that interprets Triton from the start."""
    tests = Path(__file__).with_name("test_cuda.py")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", str(tests)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    result = subprocess.run(
        command, env=environment | {"TRITON_INTERPRET": "1"}, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert re.search(r"\d+ passed", result.stdout)
    assert "skipped" not in result.stdout


@needs_triton
@pytest.mark.parametrize("capability", [80, 90])
def test_compiled_programs_round_every_product_before_it_is_added(
    capability: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Machine code for Ampere and Hopper holds no fused multiply-add; with fusion allowed it would."""
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    assert "fma.rn.f32" not in _forward_program(capability, fusion=False)
    assert "fma.rn.f32" in _forward_program(capability, fusion=True)


def _forward_program(capability: int, *, fusion: bool) -> str:
    """PTX of the forward program of a layer with affine input and 2 x 2 pooling."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from snnface.spiking.kernels.cuda.passes import _rule
    from snnface.spiking.kernels.cuda.programs import forward

    constants = _rule([1.0, 0.1, 2.0, 0.0, 0.0, 0.0, 0.0, 1.0]) | {
        "LEAK_PER_CHANNEL": False, "HAS_VOLTAGE": False, "HAS_SCALE": True,
        "POOL": 2, "WINDOWS": 4, "CHANNELS": 32, "STEPS": 2, "EVEN": False,
    }  # fmt: skip
    pointers = ("currents", "leak_in", "voltage_in", "scale_in", "shift_in", "spikes_out", "voltage_out", "counts_out")
    kinds = dict.fromkeys(pointers, "*fp32") | dict.fromkeys(constants, "constexpr")
    source = ASTSource(forward, {name: kinds.get(name, "i32") for name in forward.arg_names}, constants)
    compiled = triton.compile(source, GPUTarget("cuda", capability, 32), {"enable_fp_fusion": fusion})
    ptx: str = compiled.asm["ptx"]
    return ptx


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_without_a_card_the_reason_is_named() -> None:
    assert cuda.unavailable() == "torch sees no CUDA device"


def test_a_layer_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'dense_layer'"):
        _ = cuda.dense_layer
