"""Thresholds folded into the weights: spikes are 1, every threshold is 1.

    W~ = W theta_before / theta,   b~ = b / theta,   threshold 1, v[0] = 1/2

The readout keeps the ANN's units. Source: Rueckauer et al. 2017, Frontiers in
Neuroscience 11:682; the half-threshold start is of Bu et al. 2022, arXiv:2202.01440.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from conversion.ann_layers import AnnLayers
from conversion.graph import INPUT, Connection, Neuron, Population, Readout, SpikingGraph, Synapse

__all__ = ["CONVERTED_NEURON", "normalised_graph"]

CONVERTED_NEURON = Neuron(leak=0.0, threshold=1.0, reset="subtract", fires_on_equality=True, initial_voltage=0.5)
"""Integrate-and-fire, reset by subtraction, half-threshold start: rates round activations."""


def normalised_graph(
    ann: AnnLayers, thresholds: Sequence[float], *, metadata: Mapping[str, str | int | float]
) -> SpikingGraph:
    """The spiking graph of an ANN.

    Args:
        thresholds: one a hidden layer: the activation that one spike per step stands for.
    """
    populations = []
    source, before = INPUT, 1.0
    for layer, threshold in zip(ann.layers, thresholds, strict=True):
        synapse = _rescaled(layer.synapse, before / threshold, 1 / threshold)
        populations.append(Population(layer.name, layer.shape, CONVERTED_NEURON, (Connection(source, synapse),)))
        source, before = layer.name, threshold
    assert ann.readout.bias is not None
    readout = Readout(source, ann.readout.weight * before, ann.readout.bias)
    return SpikingGraph(ann.input_shape, tuple(populations), readout, metadata)


def _rescaled(synapse: Synapse, weight_factor: float, bias_factor: float) -> Synapse:
    assert synapse.bias is not None
    return replace(synapse, weight=synapse.weight * weight_factor, bias=synapse.bias * bias_factor)
