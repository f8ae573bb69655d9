"""The benchmark of the spiking core compares like with like: peers fire as ours do, ratios are of the right rows."""

import argparse
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location("spiking_benchmark", FOLDER / "spiking.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(FOLDER))
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(FOLDER))
    return module


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("framework", ["snntorch", "norse", "spikingjelly"])
def test_a_peer_fires_as_ours_on_the_same_currents(benchmark: ModuleType, framework: str) -> None:
    pytest.importorskip(framework)
    (make,) = (
        make
        for name, make in benchmark.networks().items()
        if name.startswith(framework) and not name.endswith("recomputing")
    )
    base = benchmark.ours().eval()
    equality = framework == "spikingjelly"
    mine = benchmark.ours(benchmark.NeuronConfig(tau=1 / benchmark.LEAK, fires_on_equality=equality)).eval()
    peer = make().eval()
    benchmark.load_weights(peer, base)
    inputs = benchmark.clips(None, 4, 1, 0.05)
    with torch.no_grad():
        differing, total = benchmark.differing_by_layer(mine, peer, inputs)
        answers = mine(inputs)
    assert total == 4 * (32 * 64 * 64 + 32 * 32 * 32 + 512 + 210)
    assert answers.sum() > 0
    # norse sums in another order; the others in ours.
    assert differing <= (total * 1e-5 if framework == "norse" else 0)


def test_the_floor_has_the_gradients_of_all_weights_and_hidden_spikes(benchmark: ModuleType) -> None:
    alone = benchmark.LayersAlone(3, device="cpu", dtype=torch.float32)
    outputs = alone(torch.empty(0))
    assert [tuple(output.shape) for output in outputs] == [(3, 32, 64, 64), (3, 32, 32, 32), (3, 512), (3, 210)]
    alone.step(outputs)
    layers = (*alone.convs, *alone.linears)
    assert all(layer.weight.grad is not None and layer.weight.grad.abs().sum() > 0 for layer in layers)


def test_ratios_are_to_the_fastest_and_the_leanest_peer(benchmark: ModuleType) -> None:
    def side(name: str, precision: str) -> object:
        return benchmark.Side(name=name, precision=precision)

    seconds = {
        side("conv + linear alone", "bf16"): 0.5,
        side("snnface", "bf16"): 1.0,
        side("norse 1", "fp32"): 6.0,
        side("snntorch 1", "bf16"): 4.0,
        side("spikingjelly 2, recomputing", "fp32"): 2.0,
    }
    gib = dict.fromkeys(seconds, 10.0) | {side("snnface", "bf16"): 1.0, side("norse 1", "fp32"): 5.0}
    options = argparse.Namespace(precision=["fp32", "bf16"], device="cpu")
    ours = side("snnface", "bf16")
    text = benchmark.comparison(ours, seconds, gib, options, training=True)
    assert text == (
        "speed 6.00 x norse 1 fp32, 4.00 x snntorch 1 bf16 (bar at 75 steps: 5.5); memory 0.20 x norse 1 fp32 "
        "(bar: 0.3); time 2.00 x the layers alone"
    )
    assert "memory" not in benchmark.comparison(ours, seconds, {}, options, training=True)
    # Of a peer that died there is no figure.
    gib[side("norse 1", "fp32")] = float("nan")
    assert "memory 0.10 x snntorch 1 bf16" in benchmark.comparison(ours, seconds, gib, options, training=True)


def test_real_events_fill_clips_and_begin_again_where_they_are_short(benchmark: ModuleType) -> None:
    pictures = torch.arange(5.0)[:, None, None, None].expand(5, 2, 64, 64)
    inputs = benchmark.clips(pictures, 4, 2, 0.05)
    assert inputs.shape == (4, 2, 2, 64, 64)
    assert inputs[:, :, 0, 0, 0].T.tolist() == [[0, 1, 2, 3], [4, 0, 1, 2]]


def test_drawn_counts_have_the_density_asked_for(benchmark: ModuleType) -> None:
    inputs = benchmark.clips(None, 10, 8, 0.05)
    assert float((inputs != 0).float().mean()) == pytest.approx(0.05, abs=0.001)
    assert set(inputs.unique().tolist()) == {0.0, 1.0, 2.0, 3.0}


@pytest.mark.data
def test_pictures_of_a_real_recording_are_counts(benchmark: ModuleType, shared_events: Path) -> None:
    pictures = benchmark.event_pictures(shared_events / "gen31_640x480_evt3_triggers.raw")
    assert pictures.shape[1:] == (2, 64, 64)
    assert len(pictures) == 62
    assert torch.equal(pictures, pictures.round())
    assert pictures.sum() > 0
