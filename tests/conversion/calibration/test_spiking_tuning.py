"""Fine-tuning through steps: the tuned network is the graph's own, and hard reset gains from it."""

import numpy as np
import pytest
import torch

from conversion.calibration.fine_tuning import FineTuningConfig, Lesson
from conversion.calibration.samples import in_pieces
from conversion.calibration.spiking_tuning import SpikingActivation, tuned_through_steps
from conversion.calibration.thresholds import measured_activations, mmse_threshold
from conversion.calibration.trainable import TrainableNetwork
from conversion.graph import Connection, Neuron, SpikingGraph
from conversion.normalise import CONVERTED_NEURON, PORTABLE_NEURON, normalised_graph
from conversion.simulate import constant_input, simulate
from snnface.errors import UnsupportedLayerError
from snnface.spiking.surrogate import derivative


def graph_of(ann, inputs, neuron: Neuron, steps: int) -> SpikingGraph:
    found = measured_activations(ann, inputs, lambda a: mmse_threshold(a, steps))
    return normalised_graph(ann, {name: one.threshold for name, one in found.items()}, neuron=neuron, metadata={})


@pytest.mark.parametrize("neuron", [CONVERTED_NEURON, PORTABLE_NEURON])
def test_what_is_trained_says_what_the_simulator_says(residual_ann, samples, neuron):
    graph = graph_of(residual_ann, samples, neuron, 5)
    activations = [SpikingActivation(neuron, 5) for _ in graph.populations]
    model = TrainableNetwork(graph.populations, Connection(graph.readout.source, residual_ann.readout), activations)
    model.readout.weight.data = torch.tensor(graph.readout.weight, dtype=torch.float32)
    with torch.no_grad():
        answers = model(torch.tensor(samples)).numpy()
    wanted = simulate(graph, constant_input(samples, 5), precision="float32").step_answers
    np.testing.assert_allclose(answers, wanted, atol=1e-4)


def test_untrained_weights_come_back_as_they_went_in(residual_ann, samples):
    graph = graph_of(residual_ann, samples, CONVERTED_NEURON, 4)
    start = Connection(graph.readout.source, residual_ann.readout)
    model = TrainableNetwork(graph.populations, start, [SpikingActivation(CONVERTED_NEURON, 4)] * 4)
    for before, after in zip(graph.populations, model.trained_layers(graph.populations), strict=True):
        assert (before.name, before.shape, before.neuron) == (after.name, after.shape, after.neuron)
        for one, other in zip(before.inputs, after.inputs, strict=True):
            assert one.source == other.source
            np.testing.assert_allclose(one.synapse.weight, other.synapse.weight, rtol=1e-6)
            assert (one.synapse.bias is None) == (other.synapse.bias is None)


def test_the_surrogate_is_that_of_the_recipe():
    # 1 / (1 + (pi (v - 1))^2), at v = 1.5 after one step of 1.5 from 0.
    currents = torch.tensor([[[1.5]]], requires_grad=True)
    SpikingActivation(PORTABLE_NEURON, 1)(currents).sum().backward()
    assert currents.grad.item() == pytest.approx(1 / (1 + (np.pi / 2) ** 2), rel=1e-6)
    assert derivative(torch.tensor([0.5]), "atan", 2.0).item() == pytest.approx(currents.grad.item(), rel=1e-6)


def test_tuning_through_steps_brings_a_hard_reset_network_nearer_to_the_ann(residual_ann, samples):
    teacher = in_pieces(residual_ann)(samples)
    lesson = Lesson(samples, teacher, None, "regression")
    graph = graph_of(residual_ann, samples, PORTABLE_NEURON, 3)
    config = FineTuningConfig(epochs=6, learning_rate=3e-3, batch_size=16)
    tuned = tuned_through_steps(graph, lesson, num_steps=3, config=config)

    def error(one: SpikingGraph) -> float:
        return float(np.square(simulate(one, constant_input(samples, 3), keep=()).answers - teacher).mean())

    assert error(tuned) < 0.5 * error(graph)
    # Nothing but weights: the neurons are still NIR's plain IF.
    assert {population.neuron for population in tuned.populations} == {PORTABLE_NEURON}
    again = tuned_through_steps(graph, lesson, num_steps=3, config=config)
    np.testing.assert_array_equal(tuned.readout.weight, again.readout.weight)


def test_a_leaky_neuron_is_refused():
    with pytest.raises(UnsupportedLayerError, match=r"do not leak; this one has a leak of 0\.5"):
        SpikingActivation(Neuron(leak=0.5, threshold=1.0), 4)
