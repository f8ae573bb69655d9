"""The graph of a residual spiking network, and of models that answer at every step."""

from dataclasses import replace
from functools import cache

import nir
import numpy as np
import pytest
import torch
from torch import nn

from conversion.from_snn import graph_from_model
from conversion.graph import Readout
from conversion.graph_io import load_graph, save_graph
from conversion.nir_export import nir_from_graph, write_nir
from conversion.nir_import import graph_from_nir, read_nir
from conversion.simulate import simulate
from conversion.spike_comparison import compare_spikes
from snnface.errors import ConversionError, UnsupportedLayerError
from snnface.events.window import Resolution
from snnface.models import (
    EveryStep,
    FaceModel,
    LastStep,
    LeakyReadout,
    LeakyReadoutConfig,
    MeanOverTime,
    MlpHead,
    MlpHeadConfig,
    VotingHead,
    VotingHeadConfig,
)
from snnface.spiking import NeuronConfig, record_activity
from snnface.spiking.residual import SewResNet, SewResNetConfig

SIZE = Resolution(height=16, width=24)


def voting() -> VotingHead:
    return VotingHead(VotingHeadConfig(), num_features=6, num_outputs=3)


def linear() -> MlpHead:
    return MlpHead(MlpHeadConfig(), num_features=6, num_outputs=2)


def residual(temporal: nn.Module | dict[str, nn.Module], heads: dict[str, nn.Module], **neuron) -> FaceModel:
    """A small residual network in float64 with batch statistics as after training, spikes everywhere."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        config = SewResNetConfig(stem=4, stages=(5, 6), features=(12, 6), neuron=NeuronConfig(**neuron))
        model = FaceModel(SewResNet(config, in_channels=2, resolution=SIZE), temporal, heads)
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.normal_(module.running_mean, std=0.1)
                nn.init.uniform_(module.running_var, 0.02, 0.05)
                nn.init.normal_(module.bias, std=0.1)
            if isinstance(module, nn.Linear):
                module.weight.data *= 3
    return model.double().eval()


@cache
def pictures() -> np.ndarray:
    """Event counts [T=12, B=2, 2, 16, 24]."""
    return np.random.default_rng(2).poisson(0.3, (12, 2, 2, SIZE.height, SIZE.width)).astype(np.float64)


@torch.no_grad()
def trained_run(model: FaceModel) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Spike trains by module, answers by head."""
    with record_activity(model, keep_trains=True) as activity:
        answers = model(torch.as_tensor(pictures()))
    return (
        {name: train.numpy() for name, train in activity.trains.items()},
        {name: answer.numpy() for name, answer in answers.items()},
    )


@pytest.mark.parametrize(
    "neuron",
    [{}, {"decay_input": True, "threshold": 0.4}, {"kind": "lif", "tau": 3.0, "v_reset": -0.2, "threshold": 0.8}],
)
def test_every_population_of_a_residual_network_spikes_as_its_module_does(neuron) -> None:
    model = residual(MeanOverTime(), {"action_unit": voting()}, **neuron)
    trains, answers = trained_run(model)
    run = simulate(graph_from_model(model), pictures())
    comparisons = compare_spikes(trains, run.spikes)
    assert len(comparisons) == 9
    assert [c.num_differing for c in comparisons] == [0] * 9
    assert min(c.num_spikes_a for c in comparisons) > 0
    np.testing.assert_allclose(run.answers, answers["action_unit"], atol=1e-9)


def test_a_sum_is_read_through_two_connections_of_one_weight_and_equal_length() -> None:
    graph = graph_from_model(residual(MeanOverTime(), {"action_unit": voting()}))
    reader = graph.population("encoder.stages.1.down.neuron")
    early, late = reader.inputs
    assert (early.source, late.source) == (
        "encoder.stages.0.down.neuron.relay1",
        "encoder.stages.0.block.second.neuron",
    )
    assert np.array_equal(early.synapse.weight, late.synapse.weight)
    assert early.synapse.bias is not None
    assert late.synapse.bias is None
    assert graph.depth(early.source) == graph.depth(late.source) == 5
    assert [p.name for p in graph.populations if p.neuron.is_relay] == [
        "encoder.stem.pool",
        "encoder.stages.0.down.neuron.relay0",
        "encoder.stages.0.down.neuron.relay1",
        "encoder.stages.1.down.neuron.relay0",
        "encoder.stages.1.down.neuron.relay1",
    ]


def test_relays_copy_their_source_spike_for_spike() -> None:
    run = simulate(graph_from_model(residual(MeanOverTime(), {"action_unit": voting()})), pictures())
    source = "encoder.stages.0.down.neuron"
    assert run.num_spikes[source] > 0
    for relay in ("relay0", "relay1"):
        assert np.array_equal(run.spikes[f"{source}.{relay}"], run.spikes[source])


def test_the_nir_file_of_a_residual_network_keeps_every_spike(tmp_path) -> None:
    graph = graph_from_model(residual(LeakyReadout(LeakyReadoutConfig()), {"valence_arousal": linear()}))
    write_nir(graph, tmp_path / "model.nir")
    copy = read_nir(tmp_path / "model.nir")
    first, second = simulate(graph, pictures()), simulate(copy, pictures())
    assert sum(c.num_differing for c in compare_spikes(first.spikes, second.spikes)) == 0
    np.testing.assert_allclose(second.answers, first.answers, atol=1e-9)
    assert {p.name for p in copy.populations if p.neuron.is_relay} == {
        p.name for p in graph.populations if p.neuron.is_relay
    }


@pytest.mark.filterwarnings("ignore")
def test_snntorch_reads_the_same_spikes_of_a_residual_network() -> None:
    importer = pytest.importorskip("snntorch.import_nir")
    graph = graph_from_model(residual(EveryStep(), {"valence_arousal": linear()}))
    source = graph.readout.source
    graph = replace(graph, readout=Readout(source, np.eye(6), np.zeros(6), leak=1.0))
    expected = simulate(graph, pictures()[:, :1]).spikes[source][:, 0]
    network, state, steps = importer.import_from_nir(nir_from_graph(graph)), None, []
    for picture in torch.as_tensor(pictures()[:, :1], dtype=torch.float32):
        spikes, state = network(picture, state)
        steps.append(spikes.detach().numpy().ravel())
    assert expected.sum() > 10
    assert np.array_equal(np.stack(steps), expected)


@pytest.mark.parametrize("part", [EveryStep(), LeakyReadout(LeakyReadoutConfig(tau=3.0))])
def test_a_readout_answers_at_every_step_as_the_model_does(part, tmp_path) -> None:
    model = residual(part, {"valence_arousal": linear()})
    _, answers = trained_run(model)
    graph = graph_from_model(model)
    assert answers["valence_arousal"].shape == (12, 2, 2)
    assert np.ptp(answers["valence_arousal"], axis=0).min() > 0
    save_graph(graph, tmp_path / "graph.json")
    for copy in (graph, graph_from_nir(nir_from_graph(graph)), load_graph(tmp_path / "graph.json")):
        np.testing.assert_allclose(simulate(copy, pictures()).answers, answers["valence_arousal"], atol=1e-9)


def test_every_head_of_a_multi_task_network_has_its_graph() -> None:
    parts = {"action_unit": MeanOverTime(), "face_shape": LeakyReadout(LeakyReadoutConfig())}
    model = residual(parts, {"action_unit": voting(), "face_shape": linear()})
    _, answers = trained_run(model)
    graphs = {name: graph_from_model(model, head=name) for name in parts}
    for name, graph in graphs.items():
        np.testing.assert_allclose(simulate(graph, pictures()).answers, answers[name], atol=1e-9)
    assert answers["action_unit"].shape == (2, 3)
    assert answers["face_shape"].shape == (12, 2, 2)
    assert [p.name for p in graphs["action_unit"].populations] == [p.name for p in graphs["face_shape"].populations]


def test_what_a_graph_cannot_hold_is_refused_by_name() -> None:
    model = residual({"a": LastStep()}, {"a": voting()})
    with pytest.raises(UnsupportedLayerError, match=r"'temporal.a' is LastStep"):
        graph_from_model(model)
    model.encoder.stages[0].block = nn.GELU()
    with pytest.raises(UnsupportedLayerError, match=r"'encoder.stages.0.block' is GELU"):
        graph_from_model(FaceModel(model.encoder, MeanOverTime(), {"a": voting()}))


def test_a_leak_outside_its_range_is_refused() -> None:
    with pytest.raises(ConversionError, match=r"above 0, or be None; got 1.5"):
        Readout("a", np.ones((1, 1)), np.zeros(1), leak=1.5)


def test_a_leaky_readout_by_hand() -> None:
    spikes = np.array([1, 0, 1, 1]).reshape(4, 1, 1)
    leaky = Readout("a", np.array([[2.0]]), np.array([0.5]), leak=0.25)
    # f = 0.5, 0.375, 0.78125, 1.0859375, and the bias
    np.testing.assert_allclose(leaky(spikes)[:, 0, 0], [1.0, 0.875, 1.28125, 1.5859375])
    assert Readout("a", np.array([[2.0]]), np.array([0.5]))(spikes).tolist() == [[2.0]]


def test_a_nir_potential_that_feeds_neurons_is_refused() -> None:
    graph = nir_from_graph(graph_from_model(residual(MeanOverTime(), {"a": voting()})))
    name = next(name for name in graph.nodes if name.endswith("_lif"))
    node = graph.nodes[name]
    graph.nodes[name] = nir.LI(tau=node.tau, r=node.r, v_leak=node.v_leak)
    with pytest.raises(UnsupportedLayerError, match=r"\(LI\) sends a potential, not spikes"):
        graph_from_nir(graph)
