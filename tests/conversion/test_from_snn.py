"""The graph of a spiking model gives the model's own spikes and answers."""

import numpy as np
import pytest
import torch
from torch import nn

from conversion.from_snn import graph_from_model
from conversion.nir_export import nir_from_graph
from conversion.nir_import import graph_from_nir
from conversion.simulate import simulate
from conversion.spike_comparison import compare_spikes
from snnface.errors import ConfigError, ConversionError, UnsupportedLayerError
from snnface.events.window import Resolution
from snnface.models import FaceModel, LastStep, MeanOverTime, MlpHead, MlpHeadConfig, VotingHead, VotingHeadConfig
from snnface.spiking import ConvSnn, ConvSnnConfig, NeuronConfig, record_activity
from snnface.spiking.layers import SpikingConv2d


def untrained(neuron: NeuronConfig, heads: dict[str, nn.Module] | None) -> FaceModel:
    config = ConvSnnConfig(channels=(4, 6), features=(12, 6), dropout=0.2, neuron=neuron)
    encoder = ConvSnn(config, in_channels=2, resolution=Resolution(height=8, width=12))
    voting = VotingHead(VotingHeadConfig(), num_features=6, num_outputs=3)
    return FaceModel(encoder, MeanOverTime(), heads or {"action_unit": voting})


def trained_like(neuron: NeuronConfig | None = None, heads: dict[str, nn.Module] | None = None) -> FaceModel:
    """A small model in float64 with batch statistics and leaks as after training."""
    generator = torch.Generator().manual_seed(4)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = untrained(neuron or NeuronConfig(), heads)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean = torch.randn(module.num_features, generator=generator) * 0.1
            module.running_var = torch.rand(module.num_features, generator=generator) * 0.1 + 0.05
            module.bias.data = torch.randn(module.num_features, generator=generator) * 0.1
        if hasattr(module, "w"):
            module.w.data = module.w + 0.3 + 0.5 * torch.randn(module.w.shape, generator=generator)
        if isinstance(module, nn.Linear):
            module.weight.data *= 3
    return model.double().eval()


@pytest.fixture
def pictures() -> np.ndarray:
    """Event counts [T=12, B=3, 2, 8, 12]."""
    return np.random.default_rng(2).poisson(0.4, (12, 3, 2, 8, 12)).astype(np.float64)


@pytest.mark.parametrize(
    "neuron",
    [
        NeuronConfig(),
        NeuronConfig(kind="plif", decay_input=True, threshold=0.4),
        NeuronConfig(kind="lif", tau=3.0, v_reset=-0.2),
        NeuronConfig(kind="lif", tau=1.5, v_reset=-0.2, decay_input=True, fires_on_equality=True, threshold=0.3),
        NeuronConfig(kind="if", reset="subtract", v_reset=0.1, threshold=0.9),
        NeuronConfig(leak_per="channel"),
        NeuronConfig(leak_per="channel", decay_input=True, threshold=0.4),
    ],
)
@torch.no_grad()
def test_every_population_spikes_as_its_module_does(neuron, pictures):
    model = trained_like(neuron)
    with record_activity(model, keep_trains=True) as activity:
        answers = model(torch.as_tensor(pictures))["action_unit"]
    graph = graph_from_model(model)
    run = simulate(graph, pictures)
    trains = {name: train.numpy() for name, train in activity.trains.items()}
    comparisons = compare_spikes(trains, run.spikes)
    assert [c.num_differing for c in comparisons] == [0, 0, 0, 0]
    assert min(c.num_spikes_a for c in comparisons) > 0
    np.testing.assert_allclose(run.answers, answers.numpy(), atol=1e-9)


def test_names_shapes_and_relays_follow_the_model():
    graph = graph_from_model(trained_like())
    assert [(p.name, p.shape, p.neuron.is_relay) for p in graph.populations] == [
        ("encoder.blocks.0.neuron", (4, 8, 12), False),
        ("encoder.blocks.0.pool", (4, 4, 6), True),
        ("encoder.blocks.1.neuron", (6, 4, 6), False),
        ("encoder.blocks.1.pool", (6, 2, 3), True),
        ("encoder.layers.0.neuron", (12,), False),
        ("encoder.layers.1.neuron", (6,), False),
    ]
    assert graph.metadata["head"] == "action_unit"
    assert graph.populations[0].inputs[0].synapse.weight.dtype == np.float64


@pytest.mark.parametrize(
    ("pool", "sizes"),
    [
        (nn.MaxPool2d(2), [(11, 15), (5, 7), (5, 7), (2, 3)]),  # the last row and column are not read
        (nn.MaxPool2d(3, 2, 1), [(11, 15), (6, 8), (6, 8), (3, 4)]),
        (nn.MaxPool2d((3, 1), 2, (1, 0)), [(11, 15), (6, 8), (6, 8), (3, 4)]),
    ],
)
@torch.no_grad()
def test_pools_of_odd_and_padded_maps_are_relays_of_an_or(pool, sizes):
    model = trained_like()
    encoder = model.encoder
    encoder.resolution = Resolution(height=12, width=16)
    encoder.blocks[0] = SpikingConv2d(2, 4, NeuronConfig(threshold=0.4), kernel_size=4, padding=1).double().eval()
    encoder.blocks[0].pool = pool
    encoder.layers[0].linear = nn.Linear(6 * sizes[3][0] * sizes[3][1], 12, bias=False).double()
    events = np.random.default_rng(3).poisson(0.4, (12, 3, 2, 12, 16)).astype(np.float64)
    with record_activity(model, keep_trains=True) as activity:
        answers = model(torch.as_tensor(events))["action_unit"]
    graph = graph_from_model(model)
    run = simulate(graph, events)
    assert [p.shape[1:] for p in graph.populations[:4]] == sizes
    comparisons = compare_spikes({name: train.numpy() for name, train in activity.trains.items()}, run.spikes)
    assert [c.num_differing for c in comparisons] == [0, 0, 0, 0]
    np.testing.assert_allclose(run.answers, answers.numpy(), atol=1e-9)
    copy = simulate(graph_from_nir(nir_from_graph(graph)), events)
    assert all(np.array_equal(copy.spikes[name], train) for name, train in run.spikes.items())


def test_voting_is_the_mean_of_neighbours():
    np.testing.assert_allclose(
        graph_from_model(trained_like()).readout.weight,
        [[0.5, 0.5, 0, 0, 0, 0], [0, 0, 0.5, 0.5, 0, 0], [0, 0, 0, 0, 0.5, 0.5]],
    )


def test_the_model_stays_as_it_was():
    model = trained_like()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    graph_from_model(model)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


@pytest.mark.parametrize("leak_per", ["layer", "channel"])
def test_the_nir_of_a_model_keeps_its_spikes(pictures, leak_per):
    graph = graph_from_model(trained_like(NeuronConfig(leak_per=leak_per)))
    copy = graph_from_nir(nir_from_graph(graph))
    comparisons = compare_spikes(simulate(graph, pictures).spikes, simulate(copy, pictures).spikes)
    assert sum(c.num_differing for c in comparisons) == 0


@torch.no_grad()
def test_one_of_several_heads_is_read_by_name(pictures):
    linear = MlpHead(MlpHeadConfig(), num_features=6, num_outputs=2)
    deep = MlpHead(MlpHeadConfig(hidden=(4,)), num_features=6, num_outputs=2)
    model = trained_like(heads={"va": linear, "deep": deep})
    graph = graph_from_model(model, head="va")
    answers = model(torch.as_tensor(pictures))["va"]
    np.testing.assert_allclose(simulate(graph, pictures).answers, answers.numpy(), atol=1e-9)
    with pytest.raises(ConversionError, match="has the heads va, deep"):
        graph_from_model(model)
    with pytest.raises(ConfigError, match="unknown head 'vb'"):
        graph_from_model(model, head="vb")
    with pytest.raises(UnsupportedLayerError, match=r"'heads\.deep' is MlpHead"):
        graph_from_model(model, head="deep")


def test_parts_without_a_counterpart_are_refused_by_name():
    with pytest.raises(UnsupportedLayerError, match="a FaceModel or SpikingReconstruction was expected; got Linear"):
        graph_from_model(nn.Linear(2, 2))
    model = trained_like()
    with pytest.raises(UnsupportedLayerError, match="'temporal' is LastStep"):
        graph_from_model(FaceModel(model.encoder, LastStep(), dict(model.heads)))
    with pytest.raises(UnsupportedLayerError, match="'encoder' is Identity"):
        graph_from_model(FaceModel(nn.Identity(), MeanOverTime(), dict(model.heads)))
    model.encoder.blocks[1] = nn.GELU()
    with pytest.raises(UnsupportedLayerError, match=r"'encoder.blocks.1' is GELU"):
        graph_from_model(model)
    other = trained_like()
    other.encoder.blocks[0].pool = nn.AvgPool2d(2)
    with pytest.raises(UnsupportedLayerError, match=r"'encoder.blocks.0.pool' is AvgPool2d"):
        graph_from_model(other)
