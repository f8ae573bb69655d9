"""The graph of a spiking reconstruction: its readout is a convolution over potentials."""

import numpy as np
import pytest
import torch
from torch import nn

from conversion.from_snn import graph_from_model
from conversion.graph import INPUT, Connection, Conv2dSynapse, LinearSynapse, Neuron, Population, Readout, SpikingGraph
from conversion.graph_io import load_graph, save_graph
from conversion.nir_export import nir_from_graph
from conversion.nir_import import graph_from_nir
from conversion.quantize import QuantizeConfig, quantize
from conversion.simulate import simulate
from hardware.backends.fixed_point import FixedPointBackend
from hardware.counts.operations import count_operations
from hardware.target import LOIHI2
from snnface.errors import ConversionError, UnsupportedLayerError
from snnface.events.window import Resolution
from snnface.models import SpikingReconstruction, SpikingReconstructionConfig


def trained_like() -> SpikingReconstruction:
    with torch.random.fork_rng():
        torch.manual_seed(2)
        config = SpikingReconstructionConfig(encoder=(4,), decoder=(3,), kernel_size=3)
        model = SpikingReconstruction(config, in_channels=2, resolution=Resolution(height=6, width=8))
        for layer in (*model.encoder, *model.decoder):
            nn.init.uniform_(layer.norm.running_var, 1.0, 3.0)
        nn.init.uniform_(model.decoder[0].norm.running_var, 0.01, 0.02)
        nn.init.normal_(model.readout.weight)
        nn.init.normal_(model.readout.bias)
    return model.double().eval()


EVENTS = torch.poisson(torch.full((6, 2, 2, 6, 8), 0.5), generator=torch.Generator().manual_seed(1)).double()
REFERENCE = torch.linspace(0.1, 0.9, 48).reshape(1, 1, 6, 8).expand(2, -1, -1, -1).double()


@torch.no_grad()
def test_the_graph_makes_the_models_picture_of_whole_numbers(tmp_path) -> None:
    model = trained_like()
    graph = graph_from_model(model)
    inputs = model.joined(EVENTS, REFERENCE).numpy()
    assert np.array_equal(inputs, np.round(inputs))
    save_graph(graph, tmp_path / "graph.json")
    for copy in (graph, load_graph(tmp_path / "graph.json"), graph_from_nir(nir_from_graph(graph))):
        run = simulate(copy, inputs)
        assert min(run.num_spikes.values()) > 0
        picture = model.picture(torch.as_tensor(run.answers).reshape(2, 1, 6, 8), REFERENCE)
        torch.testing.assert_close(picture, model(EVENTS, REFERENCE)["picture"], rtol=0, atol=1e-9)


@torch.no_grad()
def test_the_chip_runs_it_and_the_host_reads_its_own_spikes() -> None:
    model = trained_like()
    integers = quantize(graph_from_model(model), QuantizeConfig(input_bits=4)).graph
    backend, inputs = FixedPointBackend(), model.joined(EVENTS, REFERENCE).numpy().astype(np.int64)
    run = backend.run(backend.compile(integers, LOIHI2), inputs)
    np.testing.assert_allclose(run.answers, integers.readout(run.spikes["decoder.0.neuron"]), atol=1e-12)
    layer = count_operations(integers, inputs, run.spikes).layer("readout")
    assert layer.shape == (1, 6, 8)
    assert layer.num_parameters == 3 * 9 + 1
    assert layer.per_sample("bias_adds").tolist() == [48, 48]


def test_a_convolution_readout_is_the_full_matrix_of_its_taps() -> None:
    draw = np.random.default_rng(0)
    kernel, bias, spikes = draw.normal(size=(2, 3, 3, 3)), draw.normal(size=2), draw.integers(0, 2, (4, 2, 3, 5, 4))
    read = Readout("maps", kernel, bias, leak=0.3)
    units = np.eye(60).reshape(1, 60, 3, 5, 4)
    matrix = Readout("maps", kernel, np.zeros(2))(units).T
    full = Readout("maps", matrix, np.repeat(bias, 20), leak=0.3)
    np.testing.assert_allclose(read(spikes), full(spikes), atol=1e-12)
    expected = torch.nn.functional.conv2d(torch.as_tensor(units[0]), torch.as_tensor(kernel), padding=1)
    np.testing.assert_allclose(matrix.T, expected.flatten(1).numpy(), atol=1e-12)


def test_kernels_and_maps_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ConversionError, match=r"square and odd; got \(2, 2\)"):
        Readout("maps", np.ones((1, 3, 2, 2)), np.zeros(1))
    cells = Population("cells", (4,), Neuron(leak=1.0, threshold=0.5), (Connection(INPUT, LinearSynapse(np.eye(4))),))
    with pytest.raises(ConversionError, match="over 3 channels cannot read"):
        SpikingGraph((4,), (cells,), Readout("cells", np.ones((1, 3, 3, 3)), np.zeros(1)))


def test_a_nir_output_behind_a_strided_convolution_is_refused() -> None:
    graph = nir_from_graph(graph_from_model(trained_like()))
    name = max(name for name in graph.nodes if name.endswith("_conv"))
    graph.nodes[name].stride = np.array([2, 2])
    with pytest.raises(UnsupportedLayerError, match="does not keep the size of its maps"):
        graph_from_nir(graph)


def test_a_conv_readout_as_a_synapse_keeps_the_size() -> None:
    synapse = Readout("maps", np.ones((1, 3, 5, 5)), np.zeros(1)).synapse
    assert isinstance(synapse, Conv2dSynapse)
    assert synapse.output_shape((3, 6, 8)) == (1, 6, 8)
