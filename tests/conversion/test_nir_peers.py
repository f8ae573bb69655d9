"""The exported normal form in other tools: snntorch and norse give the same spikes.

Where weights are multiples of 1/64 and leaks 1/2, their float32 computes exactly what the
float64 simulator does, ties included. Both peers read samples one at a time.
"""

import logging
from dataclasses import replace

import numpy as np
import pytest
import torch

from conversion.graph import Readout
from conversion.nir_export import nir_from_graph
from conversion.nir_import import graph_from_nir
from conversion.parity import compare_spikes
from conversion.simulate import simulate


@pytest.fixture
def exact_graph(small_graph):
    """A graph whose readout shows the spikes of its last population."""

    def make(*, leak: float = 0.5, residual: bool = False, step: float | None = 1 / 64):
        graph = small_graph(11, leak=leak, step=step, residual=residual)
        return replace(graph, readout=Readout("full", np.eye(5), np.zeros(5)))

    return make


def run_stepwise(forward, spikes: np.ndarray) -> np.ndarray:
    """[T, B, 5]: every sample on its own, with a state that starts empty."""
    samples = []
    for sample in range(spikes.shape[1]):
        state, steps = None, []
        for picture in spikes[:, sample]:
            output, state = forward(torch.as_tensor(picture[None], dtype=torch.float32), state)
            steps.append(output.detach().numpy().ravel())
        samples.append(np.stack(steps))
    return np.stack(samples, axis=1)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("residual", "leak", "step"), [(False, 0.5, 1 / 64), (True, 0.5, 1 / 64), (True, 0.3, None)])
def test_snntorch_reads_the_same_spikes(exact_graph, input_spikes, residual, leak, step):
    importer = pytest.importorskip("snntorch.import_nir")
    graph = exact_graph(residual=residual, leak=leak, step=step)
    expected = simulate(graph, input_spikes).spikes["full"]
    spikes = []
    for sample in range(input_spikes.shape[1]):
        # A fresh module for every sample: its neurons keep their state.
        network = importer.import_from_nir(nir_from_graph(graph))
        spikes.append(run_stepwise(network, input_spikes[:, sample : sample + 1]))
    (comparison,) = compare_spikes({"full": expected}, {"full": np.concatenate(spikes, axis=1)})
    assert comparison.num_spikes_a > 10
    assert comparison.num_differing == 0


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("leak", [0.0, 0.5])
def test_norse_reads_the_same_spikes(exact_graph, input_spikes, leak):
    norse = pytest.importorskip("norse.torch")
    logging.getLogger().setLevel(logging.ERROR)
    graph = exact_graph(leak=leak)
    expected = simulate(graph, input_spikes).spikes["full"]
    network = norse.from_nir(nir_from_graph(graph), dt=1e-4)
    (comparison,) = compare_spikes({"full": expected}, {"full": run_stepwise(network, input_spikes)})
    assert comparison.num_spikes_a > 10
    assert comparison.num_differing == 0


@pytest.mark.filterwarnings("ignore")
def test_a_file_that_snntorch_wrote_is_read_with_its_spikes(input_spikes):
    snn = pytest.importorskip("snntorch")
    exporter = pytest.importorskip("snntorch.export_nir")
    torch.manual_seed(0)
    options = {"reset_mechanism": "zero", "reset_delay": False, "init_hidden": True}
    first, second = torch.nn.Linear(72, 12), torch.nn.Linear(12, 5)
    network = torch.nn.Sequential(
        first,
        snn.Leaky(beta=torch.full((12,), 0.75), threshold=torch.full((12,), 0.125), **options),
        second,
        snn.Leaky(beta=torch.full((5,), 0.5), threshold=torch.full((5,), 0.125), output=True, **options),
    )
    with torch.no_grad():
        for layer in (first, second):
            layer.weight.copy_(torch.round(layer.weight * 256) / 64)
            layer.bias.copy_(torch.round(layer.bias * 64) / 64)
    flat = input_spikes[:, :1].reshape(len(input_spikes), 1, 72)
    nodes = exporter.export_to_nir(network, torch.zeros(1, 72), ignore_dims=[0])
    graph = graph_from_nir(nodes, dt_s=1e-4)
    expected = [network(torch.as_tensor(picture, dtype=torch.float32))[0].detach().numpy() for picture in flat]
    assert np.sum(expected) > 10
    np.testing.assert_array_equal(simulate(graph, flat).step_answers, np.stack(expected))
