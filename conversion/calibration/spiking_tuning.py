"""Fine-tuning as a spiking network: backpropagation through the steps that will be served."""

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from conversion.calibration.fine_tuning import FineTuningConfig, Lesson, fine_tune
from conversion.calibration.trainable import TrainableNetwork
from conversion.graph import Connection, LinearSynapse, Neuron, SpikingGraph
from snnface.errors import UnsupportedLayerError
from snnface.spiking.kernels import neuron_layer
from snnface.spiking.neurons import NeuronConfig

__all__ = ["SpikingActivation", "tuned_through_steps"]


class SpikingActivation(nn.Module):
    """Neurons over T steps, by the spiking core; currents of one step are held over all.

    The surrogate derivative is 1 / (1 + (pi (v - 1))^2), ATan; no gradient flows through the reset.

    Raises:
        UnsupportedLayerError: if the neuron leaks, or its neurons differ.
    """

    def __init__(self, neuron: Neuron, num_steps: int) -> None:
        super().__init__()
        if neuron.arrays or neuron.leak:
            raise UnsupportedLayerError(
                f"converted neurons are alike and do not leak; this one has a leak of {neuron.leak} and a threshold of "
                f"{neuron.threshold}. Convert the ANN anew."
            )
        self._num_steps, self._start = num_steps, float(neuron.initial_voltage)
        self._config = NeuronConfig(
            kind="if",
            threshold=float(neuron.threshold),
            reset=neuron.reset,
            fires_on_equality=neuron.fires_on_equality,
            surrogate="atan",
            surrogate_alpha=2.0,
        )

    def forward(self, currents: Float[Tensor, "S B *N"]) -> Float[Tensor, "T B *N"]:
        held = currents.expand(self._num_steps, *currents.shape[1:])
        start = torch.full_like(currents[0], self._start)
        return neuron_layer(held, torch.tensor(0.0), self._config, voltage=start).spikes


def tuned_through_steps(
    graph: SpikingGraph, lesson: Lesson, *, num_steps: int, config: FineTuningConfig
) -> SpikingGraph:
    """The graph with weights that were trained through T steps, its neurons and thresholds unchanged.

    It is right at this number of steps; a hard-reset network at no other. The input is held over all steps.

    Raises:
        NonFiniteLossError: see `fine_tune`.

    Source: Fang et al. 2021, arXiv:2007.05785 (ATan); Rathi et al. 2020, arXiv:2005.01807 (conversion, then training).
    """
    activations = [SpikingActivation(population.neuron, num_steps) for population in graph.populations]
    start = Connection(graph.readout.source, LinearSynapse(graph.readout.weight, graph.readout.bias))
    model = TrainableNetwork(graph.populations, start, activations)
    fine_tune(model, lesson, config)
    readout = model.readout.synapse()
    assert readout.bias is not None
    return replace(
        graph,
        populations=model.trained_layers(graph.populations),
        readout=replace(graph.readout, weight=readout.weight, bias=readout.bias),
    )
