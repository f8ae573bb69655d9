"""The benchmark of conversion compares on one split and says of every bar whether it is met."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

FILE = Path(__file__).resolve().parents[1] / "benchmarks" / "conversion.py"


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location("conversion_benchmark", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_the_split_is_fixed_and_has_every_class_alike(benchmark: ModuleType) -> None:
    data = benchmark.digits(16)
    assert data.training.shape == (1197, 1, 16, 16)
    assert data.test.shape == (600, 1, 16, 16)
    # Of 174 to 183 pictures a class, a third each.
    assert set(np.bincount(data.test_labels)) <= {58, 59, 60, 61}
    np.testing.assert_array_equal(benchmark.digits(16).test_labels, data.test_labels)
    assert (data.training.min(), data.training.max()) == (0.0, 1.0)


def test_the_net_is_of_the_size_that_is_told(benchmark: ModuleType) -> None:
    model = benchmark.ResNet8()
    assert sum(parameter.numel() for parameter in model.parameters()) == 77754
    assert model.eval()(torch.zeros(2, 1, 16, 16)).shape == (2, 10)


def test_differences_are_means_over_seeds_with_the_worst_beside_them(benchmark: ModuleType) -> None:
    bars = {name: [{4: 0.97, 8: 0.98, 16: 0.99, 32: 0.99}] * 2 for name in (benchmark.FREE, benchmark.HARD)}
    steady = [dict.fromkeys(benchmark.STEPS, 0.98), dict.fromkeys(benchmark.STEPS, 1.0)]
    rows = {"ANN": [{0: 0.99}, {0: 1.0}], **bars, benchmark.BEST: steady, benchmark.ONE_FOR_ALL: steady}
    text = "\n".join([benchmark.table("Digits at 16x16", rows), *benchmark.verdicts(16, rows)])
    assert "Digits at 16x16, 2 seeds: ANN 99.50 %" in text
    assert "| -0.50 (-1.00) |" in text
    assert "without training: -2.50 points at T 4, bar -7.0: met" in text
    assert "best, aim: -0.50 points at T 32, bar -0.2: MISSED" in text
    assert "one network: largest fall 0.00 points, bar 0.5: met" in text
    # What was not measured is a dash.
    assert "| - |" in text


@pytest.mark.filterwarnings("default")
def test_the_peer_converts_the_net(benchmark: ModuleType) -> None:
    pytest.importorskip("spikingjelly")
    data = benchmark.digits(16)
    few = benchmark.Digits(
        training=data.training[:64],
        training_labels=data.training_labels[:64],
        test=data.test[:4],
        test_labels=data.test_labels[:4],
    )
    torch.manual_seed(0)
    curves = [measure(benchmark.ResNet8().eval(), few) for measure in benchmark.peers().values()]
    assert len(curves) == 2
    assert all(set(curve) == set(benchmark.STEPS) for curve in curves)
